package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// What was deleted stays deleted: insert, delete, compact, trim, reopen.
func TestDeletedRowsStayDeleted(t *testing.T) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(5, 5))
	const ids, perRecord = 4000, 500
	live := map[string]string{}
	for round := range 5 {
		b := mustOpen(t, dir)
		for first := 0; first < ids; first += perRecord {
			var ops []Op
			for i := range perRecord {
				id := fmt.Sprintf("id%05d", first+i)
				if value := fmt.Sprintf("%d %0100d", round, first); r.IntN(2) == 0 {
					ops = append(ops, op(id, value))
					live[id] = value
				} else {
					ops = append(ops, Op{Key: Key{App: 1, ID: id}, Quiet: r.IntN(2) == 0})
					delete(live, id)
				}
			}
			mustTry(t, &b.core, ops...)
			if err := b.Close(); err != nil { // which makes a table
				t.Fatal(err)
			}
			b = mustOpen(t, dir)
		}
		if round%2 == 1 {
			if err := b.Trim(t.Context(), b.Applied()-3); err != nil {
				t.Fatal(err)
			}
		}
		compact(t, b)
		if round%2 == 0 {
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			b = mustOpen(t, dir)
		}
		v, err := b.View()
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		if err := v.Scan(AllRows(), func(row Row) error {
			rows++
			if want, ok := live[row.Key.ID]; !ok || want != string(row.Value) {
				return fmt.Errorf("round %d: %s came back", round, row.Key)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if rows != len(live) {
			t.Errorf("round %d: %d rows, want %d", round, rows, len(live))
		}
		v.Close()
		verifyCore(t, b)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// compact compacts all tables into one level. Badger does nothing unless there
// have been more than five.
func compact(t *testing.T, b *Badger) {
	t.Helper()
	settled(t, b)
	if err := b.rows.db.Flatten(2); err != nil {
		t.Fatal(err)
	}
	for _, table := range b.rows.db.Tables() {
		if table.Level == 0 {
			t.Errorf("table %d was not compacted", table.ID)
		}
	}
}

// Compaction keeps what an open view needs, and only that.
func TestViewSurvivesCompaction(t *testing.T) {
	dir := t.TempDir()
	b := mustOpen(t, dir)
	mustTry(t, &b.core, op("a", "old"), op("gone", "old"))
	v, err := b.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	for range 3 {
		mustTry(t, &b.core, op("a", "new"), Op{Key: Key{App: 1, ID: "gone"}})
	}
	// Only tables are compacted: the memtable is made one by filling it.
	filler := make([]byte, 500<<10)
	for i := range 10 * 16 << 20 / len(filler) {
		mustTry(t, &b.core, Op{Key: Key{App: 2, ID: fmt.Sprint(i)}, Value: filler})
	}
	compact(t, b)
	for _, id := range []string{"a", "gone"} {
		if row, err := v.Get(Key{App: 1, ID: id}); err != nil || string(row.Value) != "old" {
			t.Errorf("Get(%s) of the old view = %q, %v", id, row.Value, err)
		}
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}
