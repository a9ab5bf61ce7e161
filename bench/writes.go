package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// writes measures durable writes against the rate at which this disk syncs.
func writes(b *run, dir string) error {
	floor := &series{name: "1/fdatasync", measure: func() (float64, error) { return b.syncRate(filepath.Join(dir, "sync")) }}
	// Each measurement has a server on a directory of its own: what the one
	// before has left to compact, to write back or to collect is not its concern.
	n := 0
	fresh := func(measure func(s *server) (float64, error)) func() (float64, error) {
		return func() (_ float64, err error) {
			n++
			dir := filepath.Join(dir, fmt.Sprint("writes", n))
			s, err := startServer(dir)
			if err != nil {
				return 0, err
			}
			defer func() {
				s.close()
				err = errors.Join(err, os.RemoveAll(dir))
				runtime.GC()
			}()
			return measure(s)
		}
	}
	engineRate := func(writers int) func() (float64, error) {
		return fresh(func(s *server) (float64, error) {
			return b.loop(writers, func(w, i int) error {
				return s.engine.PutDocument(appKey, "writes", s.users[w%len(s.users)].id, document(i))
			})
		})
	}
	all := []*series{
		floor,
		{name: "engine, 64 writers", measure: engineRate(64)},
		{name: "engine, 256 writers", measure: engineRate(256)},
		{name: "HTTP, 32 connections", measure: fresh(func(s *server) (float64, error) { return b.inserts(s, 32) })},
		{name: "HTTP, 256 connections", measure: fresh(func(s *server) (float64, error) { return b.inserts(s, 256) })},
	}
	if err := b.interleave(all); err != nil {
		return err
	}
	b.printf("durable writes (medians of %d rounds)\n", b.Rounds)
	for _, x := range all {
		b.report.Writes = append(b.report.Writes, x.figure("/s"))
		b.printf("  %-24s %9.0f/s  %5.1fx 1/fdatasync\n", x.name, x.median(), x.median()/floor.median())
	}
	return nil
}

// inserts is the rate of durable inserts over so many connections.
func (b *run) inserts(s *server, connections int) (float64, error) {
	clients := s.clients(connections)
	defer closeAll(clients)
	bodies := make([][]byte, len(clients))
	return b.loop(len(clients), func(w, i int) error {
		bodies[w] = appendDocument(bodies[w][:0], i)
		status, _, err := clients[w].do("POST", "/appdata/"+appKey+"/writes", bodies[w])
		if err == nil && status != 201 {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}

// document is an entity of about 330 bytes.
func document(i int) []byte {
	return appendDocument(make([]byte, 0, 280), i)
}

func appendDocument(b []byte, i int) []byte {
	number := func(n, width int) {
		var room [20]byte
		digits := strconv.AppendInt(room[:0], int64(n), 10)
		for range width - len(digits) {
			b = append(b, '0')
		}
		b = append(b, digits...)
	}
	b = append(b, `{"score":`...)
	number(i*7919%100_000, 0)
	b = append(b, `,"category":"c`...)
	number(i%50, 2)
	b = append(b, `","title":"entity number `...)
	number(i, 0)
	b = append(b, `","text":"`...)
	number(i, 180)
	return append(b, `"}`...)
}

// loop calls do from several goroutines for the length of a measurement and
// returns the calls a second.
func (b *run) loop(workers int, do func(worker, i int) error) (float64, error) {
	var n atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	began := time.Now()
	for w := range workers {
		wg.Go(func() {
			for time.Since(began) < b.Length && failed.Load() == nil {
				if err := do(w, int(n.Add(1))); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(n.Load()) / took.Seconds(), nil
}

// syncRate overwrites a preallocated file and syncs it, again and again.
func (b *run) syncRate(name string) (float64, error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 4096)
	for range 4096 {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	return b.loop(1, func(_, i int) error {
		if _, err := f.WriteAt(block, int64(i%4096)*4096); err != nil {
			return err
		}
		return fdatasync(f)
	})
}
