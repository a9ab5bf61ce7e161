package store_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"postern/engine/store"
)

var (
	crashRounds = flag.Int("store.crashes", 30, "how often the child is killed")
	crashSeed   = flag.Uint64("store.crashseed", 0, "seed of the moments of death; 0: a new one")
)

const crashDir = "POSTERN_STORE_CRASH_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		crashChild(dir)
		os.Exit(3) // it only ends by being killed
	}
	os.Exit(m.Run())
}

// An intent is what one writer wants to become durable.
type intent struct {
	id   string
	done chan struct{}
}

// crashChild has 16 writers and one goroutine that groups what they want into
// Records. What is durable is told to the parent, a line for each.
func crashChild(dir string) {
	b, err := store.OpenBadger(dir, quick)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	born := b.Applied()
	intents := make(chan intent, 64)
	for w := range 16 {
		go func() {
			for n := 0; ; n++ {
				in := intent{fmt.Sprintf("%d-%d-%d", born, w, n), make(chan struct{})}
				intents <- in
				<-in.done
			}
		}()
	}
	for {
		group := []intent{<-intents}
		for more := true; more && len(group) < 64; {
			select {
			case in := <-intents:
				group = append(group, in)
			default:
				more = false
			}
		}
		rec := next(b)
		for _, in := range group {
			// Two rows each: half a Record would show as one of them.
			rec.Ops = append(rec.Ops, put("a"+in.id, in.id), put("b"+in.id, in.id))
		}
		if err := b.Append(context.Background(), rec.Seq-1, rec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		var lines strings.Builder
		for _, in := range group {
			lines.WriteString(in.id + "\n")
		}
		os.Stdout.WriteString(lines.String())
		for _, in := range group {
			close(in.done)
		}
	}
}

// Everything that was acknowledged before kill -9 is there, nothing is there by half.
func TestKilled(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-store.crashseed=%d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	dir := t.TempDir()
	acknowledged := map[string]bool{}
	for round := range *crashRounds {
		kill(t, dir, 1+r.IntN(400), acknowledged)
		b := open(t, dir)
		halves := map[string]int{}
		v, err := b.View()
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Scan(store.AllRows(), func(row store.Row) error {
			if string(row.Value) != row.Key.ID[1:] {
				t.Errorf("round %d: %s = %q", round, row.Key, row.Value)
			}
			halves[row.Key.ID[1:]]++
			return nil
		}); err != nil {
			t.Fatalf("round %d: Scan = %v", round, err)
		}
		v.Close()
		for id, n := range halves {
			if n != 2 {
				t.Errorf("round %d: half of %s is there", round, id)
			}
		}
		lost := 0
		for id := range acknowledged {
			if halves[id] == 0 {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("round %d: %d of %d acknowledged are lost", round, lost, len(acknowledged))
		}
		verify(t, b)
		if err := b.Close(); err != nil {
			t.Errorf("round %d: Close = %v", round, err)
		}
	}
	t.Logf("%d acknowledged in %d rounds", len(acknowledged), *crashRounds)
}

// kill runs the child until it has acknowledged n ids, kills it, and notes all it has acknowledged.
func kill(t *testing.T, dir string, n int, acknowledged map[string]bool) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashDir+"="+dir)
	var complaint strings.Builder
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		// A line that is cut off was not acknowledged in full.
		id, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		acknowledged[strings.TrimSuffix(id, "\n")] = true
		if n--; n == 0 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("child = %v, want killed: %s", err, complaint.String())
	}
}
