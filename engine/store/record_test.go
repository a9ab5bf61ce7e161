package store

import (
	"bytes"
	"errors"
	"testing"
)

func someRecord() *Record {
	return &Record{
		Seq: 7, Prev: Hash{1, 2, 3}, Time: 1700000000123, Audit: []byte("who"),
		Ops: []Op{
			{Key: Key{1, 2, 3, "id"}, Value: []byte("value"), Before: []byte("before")},
			{Key: Key{MaxApp, MaxTable, 1<<32 - 1, ""}},
			{Key: Key{0, 0, 0, "\x00\xff"}, Value: []byte{}, Quiet: true},
			{Key: Key{1, 2, 3, "gone"}, Before: []byte("acl"), Quiet: true},
		},
	}
}

func TestRecordSurvivesItsEncoding(t *testing.T) {
	r := someRecord()
	b := r.AppendBinary(nil)
	got, err := DecodeRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.AppendBinary(nil), b) || got.Hash() != r.Hash() {
		t.Errorf("DecodeRecord = %+v, want %+v", got, r)
	}
	flags := recordFixed - 4
	for _, f := range []byte{flagDelete, 4, 0x80, 0xff} {
		hurt := bytes.Clone(b)
		hurt[flags] = f
		if _, err := DecodeRecord(hurt); !errors.Is(err, ErrInvalid) {
			t.Errorf("DecodeRecord with flags %#x = %v", f, err)
		}
	}
	for n := range b {
		if _, err := DecodeRecord(b[:n]); !errors.Is(err, ErrInvalid) {
			t.Errorf("DecodeRecord of %d bytes = %v", n, err)
		}
	}
}

// Whatever is changed in a Record changes its Hash, but Small.
func TestHashCoversEverything(t *testing.T) {
	want := someRecord().Hash()
	for name, change := range map[string]func(*Record){
		"seq":        func(r *Record) { r.Seq++ },
		"prev":       func(r *Record) { r.Prev[31]++ },
		"time":       func(r *Record) { r.Time++ },
		"audit":      func(r *Record) { r.Audit = []byte("whom") },
		"fewer ops":  func(r *Record) { r.Ops = r.Ops[:3] },
		"order":      func(r *Record) { r.Ops[0], r.Ops[1] = r.Ops[1], r.Ops[0] },
		"app":        func(r *Record) { r.Ops[0].Key.App++ },
		"table":      func(r *Record) { r.Ops[0].Key.Table++ },
		"collection": func(r *Record) { r.Ops[0].Key.Collection++ },
		"id":         func(r *Record) { r.Ops[0].Key.ID += "x" },
		"value":      func(r *Record) { r.Ops[0].Value = []byte("Value") },
		"before":     func(r *Record) { r.Ops[0].Before = nil },
		"quiet":      func(r *Record) { r.Ops[0].Quiet = true },
		"deletion":   func(r *Record) { r.Ops[2].Value = nil },
		"boundaries": func(r *Record) { r.Ops[0].Key.ID, r.Ops[0].Value = "idv", []byte("alue") },
	} {
		r := someRecord()
		change(r)
		if r.Hash() == want {
			t.Errorf("%s: same hash", name)
		}
	}
	r := someRecord()
	r.Small = true
	if r.Hash() != want {
		t.Error("Small changes the hash")
	}
}

// What decodes at all decodes to one Record and encodes to the same bytes.
func FuzzRecord(f *testing.F) {
	f.Add(someRecord().AppendBinary(nil))
	f.Add((&Record{Seq: 1}).AppendBinary(nil))
	f.Add((&Record{Seq: 2, Ops: []Op{{Key: Key{ID: "x"}}}}).AppendBinary(nil))
	f.Add(bytes.Repeat([]byte{recordVersion}, 80))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRecord(b)
		if err != nil {
			return
		}
		if err := r.Check(); err != nil {
			t.Errorf("DecodeRecord passed what Check refuses: %v", err)
		}
		if again := r.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Errorf("encodes to %x, was %x", again, b)
		}
	})
}

// Reading a stored log never panics and never reads more than there is.
func FuzzLog(f *testing.F) {
	im := killedImage(f)
	data := im[im.names(".mem")[0]].data
	f.Add(data[:4000])
	f.Add(data[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := checkLog(b)
		if s.valid > len(b) || s.damaged() && !s.torn {
			t.Errorf("checkLog = %+v of %d bytes", s, len(b))
		}
	})
}
