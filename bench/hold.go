package bench

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is what a server process holds that has answered every query of the
// workload, in bytes.
type Memory struct {
	Busy      float64  `json:"busy"`      // anonymous, as it was behind the queries
	Anonymous float64  `json:"anonymous"` // ... after a collection
	Files     float64  `json:"files"`     // mapped from files
	Raw       int64    `json:"raw"`       // JSON of the entities
	Grants    int64    `json:"grants"`    // of the data set
	Index     *float64 `json:"index"`     // as the engine says, null: it does not
	Postings  *float64 `json:"postings"`  // likewise
}

// perGrant is the index's bytes per grant and order.
func (m *Memory) perGrant() (float64, bool) {
	if m.Index == nil || m.Postings == nil || *m.Postings == 0 {
		return 0, false
	}
	return *m.Index / *m.Postings, true
}

// Start is how long a server takes to open a filled directory, in seconds.
type Start struct {
	Store   []float64 `json:"store"`   // Badger's own open
	Clean   []float64 `json:"clean"`   // the rest, after a clean stop
	Rebuild []float64 `json:"rebuild"` // the rest, without its snapshots; empty: there are none
	Removed []string  `json:"removed"` // what those were
}

// The names under which the engine shows its index, sums over all labels.
const (
	metricIndexBytes = "postern_index_bytes"         // of postings
	metricPostings   = "postern_index_postings"      // one a grant and order
	metricBuilding   = "postern_index_building"      // 1: something is built, or written to disk, behind the queries
	metricTouched    = "postern_index_touched_total" // entities that a change has touched in an index
)

// scrape returns the sum of a metric, nil when the server has none of the name.
func scrape(address, name string) (*float64, error) {
	c := newClient(address, "")
	defer c.close()
	status, body, err := c.do("GET", "/-/metrics", nil)
	if err != nil || status != 200 {
		return nil, fmt.Errorf("metrics: status %d %w", status, err)
	}
	var sum *float64
	for line := range strings.Lines(string(body)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		fields := strings.Fields(rest[strings.LastIndex(rest, "}")+1:])
		if len(fields) == 0 {
			continue
		}
		v, err := strconv.ParseFloat(fields[0], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", name, err)
		}
		if sum == nil {
			sum = new(float64)
		}
		*sum += v
	}
	return sum, nil
}

// holding measures what a server process holds on a directory and how soon it
// serves it.
func (b *run) holding(dir string, queries []*query, loaded *Loaded) (*Memory, *Start, error) {
	memory, start := &Memory{Raw: loaded.Bytes, Grants: loaded.Grants}, &Start{}
	for round := range b.Rounds {
		c, err := b.startChild(dir)
		if err != nil {
			return nil, nil, err
		}
		start.Store = append(start.Store, c.Store.Seconds())
		start.Clean = append(start.Clean, c.Engine.Seconds())
		if round == 0 {
			err = b.fillMemory(c, queries, memory)
		}
		if e := c.stop(); err == nil {
			err = e
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for range b.Rounds {
		removed, err := removeSnapshots(dir)
		if err != nil {
			return nil, nil, err
		}
		if len(removed) == 0 {
			break
		}
		start.Removed = removed
		c, err := b.startChild(dir)
		if err != nil {
			return nil, nil, err
		}
		start.Rebuild = append(start.Rebuild, c.Engine.Seconds())
		if err := c.stop(); err != nil {
			return nil, nil, err
		}
	}
	return memory, start, nil
}

// fillMemory asks a child everything until it has built what it builds.
func (b *run) fillMemory(c *child, queries []*query, m *Memory) error {
	there := &server{address: c.Address}
	for _, q := range queries {
		if err := q.check(there); err != nil {
			return err
		}
	}
	if err := b.warm(there, queries); err != nil {
		return err
	}
	busy, err := resident(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := c.settle(); err != nil {
		return err
	}
	rest, err := resident(c.cmd.Process.Pid)
	if err != nil {
		return err
	}
	m.Busy, m.Anonymous, m.Files = busy.anonymous, rest.anonymous, rest.file
	if m.Index, err = scrape(c.Address, metricIndexBytes); err != nil {
		return err
	}
	m.Postings, err = scrape(c.Address, metricPostings)
	return err
}

// removeSnapshots removes what a start could read instead of the data: whatever
// is named a snapshot below the directory.
func removeSnapshots(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.Contains(strings.ToLower(filepath.Base(path)), "snapshot") || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		found = append(found, name)
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		if entry.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}
