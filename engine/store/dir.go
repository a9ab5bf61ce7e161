package store

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
)

const (
	idFile       = "store.id"
	lockFile     = "store.lock"
	manifestFile = "MANIFEST"
	idStart      = "postern store "
	idLine       = idStart + "2\n" // the 2 is the version of the directory's form
)

// An identity is what a store is known by.
type identity struct {
	id   string
	seq  Seq // where an imported store begins
	hash Hash
}

func newStoreID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func validStoreID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 16 && id == strings.ToLower(id)
}

// prepareDir does what must be done before Badger, which repairs by deleting,
// may look at dir. The mark it returns is open.
func prepareDir(dir string, o Options, born *identity, journal *journalState) (id string, _ *highWater, err error) {
	id, err = readID(dir)
	fresh := errors.Is(err, os.ErrNotExist)
	if err != nil && !fresh {
		return "", nil, err
	}
	if err := checkFiles(dir, fresh); err != nil {
		return "", nil, err
	}
	mark, err := openMark(dir)
	if err != nil {
		return "", nil, err
	}
	if fresh {
		if born == nil {
			born = &identity{id: newStoreID()}
		}
		id, err = born.id, makeDir(dir, mark, born)
	} else if err = checkMarked(dir, mark); err == nil {
		// From here on dir is changed only by adding to the directory aside.
		err = secure(dir, o, journal)
	}
	if err != nil {
		return "", nil, errors.Join(err, mark.close())
	}
	return id, mark, nil
}

// makeDir makes the high-water file, and then the identity: what has that is a store.
func makeDir(dir string, mark *highWater, born *identity) error {
	if seq, _, _ := mark.read(); seq > 0 {
		return &CorruptError{Why: "there is a high-water file but no " + idFile}
	}
	if err := mark.reset(born.seq, born.hash); err != nil {
		return err
	}
	return writeID(dir, born.id)
}

// checkMarked refuses a directory that is known to have had Records, or not
// known to have had none, and has no database.
func checkMarked(dir string, mark *highWater) error {
	seq, _, known := mark.read()
	if _, err := os.Stat(filepath.Join(dir, manifestFile)); err != nil && (seq > 0 || !known) {
		return &CorruptError{Why: manifestFile + " is missing"}
	}
	return nil
}

func readID(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, idFile))
	if err != nil {
		return "", err
	}
	if len(b) > len(idLine)+storeIDBytes {
		id := string(b[len(idLine) : len(idLine)+storeIDBytes])
		if validStoreID(id) && string(b) == idText(id) {
			return id, nil
		}
	}
	if v := strings.TrimPrefix(string(b), idStart); len(v) < len(b) && !strings.HasPrefix(string(b), idLine) {
		return "", fmt.Errorf("%s: %w", idFile, ErrNewer)
	}
	return "", &CorruptError{Why: idFile + " does not parse"}
}

// idText is the file: the form's version, then the id and its checksum.
func idText(id string) string {
	return fmt.Sprintf("%s%s %08x\n", idLine, id, crc32.Checksum([]byte(id), castagnoli))
}

func writeID(dir, id string) error {
	return writeFile(filepath.Join(dir, idFile), []byte(idText(id)))
}

// writeFile makes a file that is there whole or not at all.
func writeFile(name string, b []byte) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDir(filepath.Dir(name))
}

// checkFiles refuses a directory whose parts do not belong together. Badger
// would take tables that its MANIFEST does not name for rubbish and delete them.
func checkFiles(dir string, fresh bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	data, manifest := "", false
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".sst", ".mem", ".vlog":
			data = e.Name()
		}
		manifest = manifest || e.Name() == manifestFile
	}
	switch {
	case fresh && (data != "" || manifest):
		return &CorruptError{Why: "there is a database but no " + idFile}
	case data != "" && !manifest:
		return &CorruptError{Why: "MANIFEST is missing but " + data + " is there"}
	}
	return nil
}
