package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

// An export is the rows of one View, not the history that led there:
//
//	"postern export 1\n"
//	store id (32), Seq (8), Record hash (32)
//	for each row, in the order of keys:
//	  length of what follows (4), length of the key (2), key without shard, Seq (8), index (4), value
//	0 (4)
//	number of rows (8), XOR digest of the rows (32)
//	SHA-256 of all before (32)
const (
	exportMagic   = "postern export 1\n"
	exportRowHead = 2 + 8 + 4
	maxExportRow  = exportRowHead + rowFixed + MaxIDBytes + MaxValueBytes
	storeIDBytes  = 32
)

// Export writes the rows of v to w. The rest of the store may go on meanwhile.
func Export(v View, w io.Writer) error {
	h := sha256.New()
	buffered := bufio.NewWriterSize(w, 1<<18)
	out := io.MultiWriter(buffered, h)
	head := v.Hash()
	if len(v.StoreID()) != storeIDBytes {
		return fmt.Errorf("%w: store id %q", ErrInvalid, v.StoreID())
	}
	b := append([]byte(exportMagic), v.StoreID()...)
	b = binary.BigEndian.AppendUint64(b, uint64(v.Seq()))
	b = append(b, head[:]...)
	if _, err := out.Write(b); err != nil {
		return err
	}
	var d Digest
	err := v.Scan(AllRows(), func(r Row) error {
		d.Add(r)
		key := rowFixed + len(r.Key.ID)
		b = binary.BigEndian.AppendUint32(b[:0], uint32(exportRowHead+key+len(r.Value)))
		b = binary.BigEndian.AppendUint16(b, uint16(key))
		b = appendRowKey(b, r.Key)
		b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
		b = binary.BigEndian.AppendUint32(b, r.Index)
		b = append(b, r.Value...)
		_, err := out.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	b = binary.BigEndian.AppendUint32(b[:0], 0)
	b = binary.BigEndian.AppendUint64(b, d.Rows)
	b = append(b, d.Sum[:]...)
	if _, err := out.Write(b); err != nil {
		return err
	}
	if _, err := buffered.Write(h.Sum(nil)); err != nil {
		return err
	}
	return buffered.Flush()
}

// Import makes a store in dir, which must be empty or missing, of what Export
// wrote. It has the identity, head and rows of the store it came from and no
// history before the head. dir appears only when everything was read and
// found right; ErrDamagedExport says that it was not.
func Import(dir string, r io.Reader, o Options) error {
	if err := importInto(dir, r, o); err != nil {
		return fmt.Errorf("importing into %s: %w", dir, err)
	}
	return nil
}

func importInto(dir string, r io.Reader, o Options) (err error) {
	dir = filepath.Clean(dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return errors.New("the directory is not empty")
	} else if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(parent, filepath.Base(dir)+".import-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	o.NoBallast, o.AcceptLoss = true, false
	want, err := fill(temp, newExportReader(r), o)
	if err != nil {
		return err
	}
	if err := confirm(temp, want, o); err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return err
	}
	return syncDir(parent)
}

// fill writes what it reads into a new store and returns what the store must be.
func fill(dir string, in *exportReader, o Options) (want exportEnd, err error) {
	born, err := in.begin()
	if err != nil {
		return want, err
	}
	b, err := openBadger(dir, o.withDefaults(), &born)
	if err != nil {
		return want, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	var batch []write
	size := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := b.admit(false); err != nil {
			return err
		}
		err := b.back.commit(born.seq, batch)
		batch, size = nil, 0
		return err
	}
	for {
		row, more, err := in.row()
		if err != nil {
			return want, err
		}
		if !more {
			break
		}
		key := appendKey(nil, theOnlyShard, row.Key)
		batch = append(batch, write{key, seal(nil, key, row.Seq, row.Index, row.Value)})
		if size += opStored + len(row.Value); size > MaxRecordBytes {
			if err := flush(); err != nil {
				return want, err
			}
		}
	}
	if want, err = in.end(); err != nil {
		return want, err
	}
	if born.seq > 0 {
		key := baseKey(theOnlyShard)
		batch = append(batch, write{key, seal(nil, key, born.seq, 0, base{born.seq, born.hash}.append(nil))})
	}
	return want, flush()
}

// confirm opens a filled store as a server would and compares.
func confirm(dir string, want exportEnd, o Options) error {
	b, err := OpenBadger(dir, o)
	if err != nil {
		return err
	}
	err = func() error {
		v, err := b.View()
		if err != nil {
			return err
		}
		defer v.Close()
		got, err := DigestOf(v, AllRows(), nil)
		if err != nil {
			return err
		}
		if got != want.rows || v.Seq() != want.born.seq || v.Hash() != want.born.hash || v.StoreID() != want.born.id {
			return &CorruptError{Why: "what was written is not what was read"}
		}
		return b.Verify(context.Background(), func(problem string) { err = &CorruptError{Why: problem} })
	}()
	return errors.Join(err, b.Close())
}

// An exportReader reads an export once, from begin over all rows to end.
type exportReader struct {
	in   *bufio.Reader
	sum  hash.Hash
	born identity
	got  Digest
	last []byte
	buf  []byte
}

type exportEnd struct {
	born identity
	rows Digest
}

func newExportReader(r io.Reader) *exportReader {
	return &exportReader{in: bufio.NewReaderSize(r, 1<<18), sum: sha256.New()}
}

func damaged(why string) error { return fmt.Errorf("%w: %s", ErrDamagedExport, why) }

// take reads n bytes, valid until the next take.
func (e *exportReader) take(n int) ([]byte, error) {
	if cap(e.buf) < n {
		e.buf = make([]byte, n)
	}
	b := e.buf[:n]
	if _, err := io.ReadFull(e.in, b); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, damaged("it ends too early")
		}
		return nil, err
	}
	e.sum.Write(b)
	return b, nil
}

func (e *exportReader) begin() (identity, error) {
	b, err := e.take(len(exportMagic) + storeIDBytes + 8 + 32)
	if err != nil {
		return identity{}, err
	}
	if string(b[:len(exportMagic)]) != exportMagic {
		return identity{}, damaged("not an export of version 1")
	}
	d := decoder{b: b[len(exportMagic):]}
	e.born.id = string(d.take(storeIDBytes))
	e.born.seq = Seq(d.u64())
	copy(e.born.hash[:], d.take(32))
	if !validStoreID(e.born.id) {
		return identity{}, damaged("store id")
	}
	return e.born, nil
}

// row returns the next row, whose Value is valid until the next call; more is
// false after the last.
func (e *exportReader) row() (r Row, more bool, err error) {
	b, err := e.take(4)
	if err != nil {
		return r, false, err
	}
	n := binary.BigEndian.Uint32(b)
	if n == 0 {
		return r, false, nil
	}
	if n > maxExportRow {
		return r, false, damaged("row too long")
	}
	if b, err = e.take(int(n)); err != nil {
		return r, false, err
	}
	d := decoder{b: b}
	key := d.take(int(d.u16()))
	k, ok := decodeRowKey(key)
	r = Row{Key: k, Seq: Seq(d.u64()), Index: d.u32(), Value: d.b}
	if d.bad || !ok || r.Seq == 0 || r.Seq > e.born.seq || len(r.Value) > MaxValueBytes {
		return r, false, damaged("row does not parse")
	}
	if e.last != nil && string(key) <= string(e.last) {
		return r, false, damaged("rows out of order")
	}
	e.last = append(e.last[:0], key...)
	e.got.Add(r)
	return r, true, nil
}

// end checks everything that can only be checked at the end.
func (e *exportReader) end() (exportEnd, error) {
	b, err := e.take(8 + 32)
	if err != nil {
		return exportEnd{}, err
	}
	d := decoder{b: b}
	want := Digest{Rows: d.u64()}
	copy(want.Sum[:], d.take(32))
	if want != e.got {
		return exportEnd{}, damaged("rows do not have their digest")
	}
	sum := e.sum.Sum(nil)
	if b, err = e.take(len(sum)); err != nil {
		return exportEnd{}, err
	}
	if string(b) != string(sum) {
		return exportEnd{}, damaged("checksum mismatch")
	}
	if _, err := e.in.ReadByte(); err == nil {
		return exportEnd{}, damaged("something follows the end")
	} else if !errors.Is(err, io.EOF) {
		return exportEnd{}, err
	}
	return exportEnd{e.born, e.got}, nil
}
