package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/engine/cli"
	"postern/engine/store"
)

// durableDir is a data directory with something in it, closed.
func durableDir(t *testing.T, entities int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	s := start(t, onBadger(t, dir))
	alice := s.signUp("alice")
	for i := range entities {
		s.put(alice.session(), fmt.Sprint("e", i), i)
	}
	s.stop()
	return dir
}

// runCheck runs postern check and returns the exit code and what it printed.
func runCheck(dir string, flags ...string) (int, string) {
	var out, errs bytes.Buffer
	code := cli.Main(append([]string{"check", "--data", dir}, flags...), &out, &errs)
	return code, out.String() + errs.String()
}

// damage appends a record past the engine.
func damage(t *testing.T, dir string, ops func(rows []store.Row) []store.Op) {
	t.Helper()
	d, err := store.OpenBadger(dir, store.Options{NoBallast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	v, err := d.View()
	if err != nil {
		t.Fatal(err)
	}
	var rows []store.Row
	err = v.Scan(store.AllRows(), func(r store.Row) error {
		r.Value = append([]byte(nil), r.Value...)
		if r.Key.ID == "e1" {
			rows = append(rows, r)
		}
		return nil
	})
	v.Close()
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	seq, hash := d.Head()
	rec := &store.Record{Seq: seq + 1, Prev: hash, Time: 1, Ops: ops(rows)}
	if err := d.Append(context.Background(), seq, rec); err != nil {
		t.Fatal(err)
	}
}

// postern check says ok and exits with 0 on a sound directory, and names what
// is wrong and exits with 10 on a damaged one.
func TestCheckCommandNamesDamage(t *testing.T) {
	for name, c := range map[string]struct {
		ops  func(rows []store.Row) []store.Op
		want string
	}{
		"nothing": {nil, "ok\n"},
		"an entity is dropped": {func(rows []store.Row) []store.Op {
			return []store.Op{{Key: rows[0].Key}}
		}, "collection box: 5 entities were committed and 4 are there"},
		"an ACL is altered": {func(rows []store.Row) []store.Op {
			// The creator's id occurs in the binary ACL and in the text of it.
			_, after, _ := bytes.Cut(rows[0].Value, []byte(`"creator":"`))
			id, _, _ := bytes.Cut(after, []byte(`"`))
			mallory := bytes.Repeat([]byte("m"), len(id))
			return []store.Op{{Key: rows[0].Key, Value: bytes.ReplaceAll(rows[0].Value, id, mallory)}}
		}, "collection box: 5 entities were committed and 5 are there, or their grants differ (I2)"},
		"an entity is no entity": {func(rows []store.Row) []store.Op {
			return []store.Op{{Key: rows[0].Key, Value: []byte("?")}}
		}, `"e1": entity row is malformed`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := durableDir(t, 5)
			want := 0
			if c.ops != nil {
				damage(t, dir, c.ops)
				want = 10
			}
			if code, text := runCheck(dir); code != want || !strings.Contains(text, c.want) {
				t.Errorf("exit code %d, %q", code, text)
			}
		})
	}
}

// A directory that was put back to an earlier moment lacks acknowledged writes:
// the high-water mark beside the database knows (the disk may have lost them).
func TestLostCommitsAreNoticed(t *testing.T) {
	dir := durableDir(t, 5)
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	s := start(t, onBadger(t, dir))
	for i := range 7 {
		s.want(s.do("PUT", fmt.Sprintf("/appdata/%s/box/late%d", kid, i), basic("alice", "alice"), `{}`), 201, "") // the master would be sampled
	}
	s.stop()
	mark, err := os.ReadFile(filepath.Join(dir, "hwm"))
	if err != nil {
		t.Fatal(err)
	}
	if code, text := runCheck(old); code != 0 {
		t.Fatalf("the old copy by itself: %d %q", code, text)
	}
	if err := os.WriteFile(filepath.Join(old, "hwm"), mark, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, text := runCheck(old); code != 10 || !strings.Contains(text, "7") {
		t.Fatalf("exit code %d, %q; 7 records are missing", code, text)
	}
	var out, errs bytes.Buffer
	if code := cli.Main([]string{"serve", "--data", old, "--listen", "127.0.0.1:0"}, &out, &errs); code != 1 {
		t.Errorf("serve on it: exit code %d %s%s", code, out.String(), errs.String())
	}
	if code, text := runCheck(old, "--accept-loss"); code != 0 {
		t.Errorf("with --accept-loss: exit code %d, %q", code, text)
	}
}
