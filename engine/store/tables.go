package store

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
)

// checkTables verifies every table that the MANIFEST names, and returns the
// files of those that it does not name. Badger verifies too when it opens, but
// in goroutines of its own, where a damaged offset is a panic that nobody can
// recover from.
func checkTables(dir string) (unnamed []string, err error) {
	named, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		return nil, err
	}
	var buf []byte
	for _, name := range files {
		id, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(name), ".sst"), 10, 64)
		if err != nil {
			continue
		}
		compression, ok := named[id]
		if !ok {
			unnamed = append(unnamed, name)
			continue
		}
		delete(named, id)
		if buf, err = readFile(buf, name); err != nil {
			return nil, err
		}
		if err := checkTable(buf, id, compression); err != nil {
			return nil, &CorruptError{Why: filepath.Base(name) + ": " + err.Error()}
		}
	}
	if len(named) > 0 {
		missing := []string{}
		for id := range named {
			missing = append(missing, filepath.Base(table.NewFilename(id, dir)))
		}
		slices.Sort(missing)
		return nil, &CorruptError{Why: "missing tables: " + strings.Join(missing, " ")}
	}
	return unnamed, nil
}

// checkTable verifies a table held in memory, block by block.
func checkTable(b []byte, id uint64, compression options.CompressionType) error {
	return protect("table", func() error {
		t, err := table.OpenInMemoryTable(b, id, &table.Options{
			BlockSize: 4096, BloomFalsePositive: 0.01, Compression: compression, ChkMode: options.NoVerification,
		})
		if err != nil {
			return err
		}
		return t.VerifyChecksum()
	})
}

// readManifest returns the tables that there should be, and how they are compressed.
func readManifest(dir string) (map[uint64]options.CompressionType, error) {
	f, err := os.Open(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, _, err := badger.ReplayManifestFile(f, 0, badger.DefaultOptions(dir).WithLogger(nil))
	if err != nil {
		return nil, &CorruptError{Why: manifestFile + ": " + err.Error()}
	}
	named := make(map[uint64]options.CompressionType, len(m.Tables))
	for id, t := range m.Tables {
		named[id] = t.Compression
	}
	return named, nil
}

// readFile reads a file into buf, which it may replace by a larger one.
func readFile(buf []byte, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return buf, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return buf, err
	}
	buf = slices.Grow(buf[:0], int(st.Size()))[:st.Size()]
	_, err = io.ReadFull(f, buf)
	return buf, err
}
