package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// How many durable ops a second does a group of this size give?
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("ops=%d", n), func(b *testing.B) {
			d := mustOpen(b, b.TempDir())
			defer d.Close()
			value := randomText(400)
			i := 0
			for b.Loop() {
				seq, hash := d.Head()
				rec := &Record{Seq: seq + 1, Prev: hash, Ops: make([]Op, n)}
				for j := range rec.Ops {
					i++
					rec.Ops[j] = Op{Key: Key{1, 1, 1, fmt.Sprintf("%024d", i)}, Value: value, Before: value[:60]}
				}
				if err := d.Append(context.Background(), seq, rec); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

// What does the disk itself take to make a block durable?
func BenchmarkFdatasync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	const size = 16 << 20
	for at := int64(0); at < size; at += int64(len(block)) {
		if _, err := f.WriteAt(block, at); err != nil {
			b.Fatal(err)
		}
	}
	at := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(block, at%size); err != nil {
			b.Fatal(err)
		}
		if err := syncData(f); err != nil {
			b.Fatal(err)
		}
		at += int64(len(block))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "syncs/s")
}

// How long does a server wait at start: opening, and one scan of everything?
func BenchmarkOpenAndScan(b *testing.B) {
	for _, n := range []int{0, 100_000} {
		dir := b.TempDir()
		d := mustOpen(b, dir)
		for i := 0; i < n; i += 500 {
			ops := make([]Op, 500)
			for j := range ops {
				ops[j] = Op{Key: Key{1, 1, 1, fmt.Sprintf("%024d", i+j)}, Value: randomText(400)}
			}
			mustTry(b, &d.core, ops...)
		}
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("open/rows=%d", n), func(b *testing.B) {
			for b.Loop() {
				mustOpen(b, dir).Close()
			}
		})
		d = mustOpen(b, dir)
		b.Run(fmt.Sprintf("scan/rows=%d", n), func(b *testing.B) {
			for b.Loop() {
				v, _ := d.View()
				rows := 0
				if err := v.Scan(AllRows(), func(Row) error { rows++; return nil }); err != nil || rows != n {
					b.Fatal(rows, err)
				}
				v.Close()
			}
		})
		d.Close()
	}
}

func randomText(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('a' + rand.N(26))
	}
	return b
}
