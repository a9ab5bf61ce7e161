package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"postern/engine/store"
)

// concurrent writes pairs of rows that are equal in every view, while others
// read, read the history, trim and verify.
func concurrent(t *testing.T, c *client) {
	const records = 150
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					c.oneView()
				}
			}
		})
	}
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			from, _ := c.Head()
			if err := c.Read(ctx, max(from, 1), func(*store.Record) error { return nil }); err != nil && !errors.Is(err, store.ErrTrimmed) {
				t.Errorf("Read(%d) = %v", from, err)
			}
			if v, ok := c.Driver.(verifier); ok {
				if err := v.Verify(ctx, func(p string) { t.Errorf("Verify: %s", p) }); err != nil {
					t.Errorf("Verify = %v", err)
				}
			}
		}
	})
	for i := range records {
		value := fmt.Sprint(i)
		c.write(put("left", value), put("n"+value, value), put("right", value))
		if i%20 == 19 {
			if err := c.Trim(ctx, store.Seq(i-5)); err != nil {
				t.Errorf("Trim = %v", err)
			}
		}
	}
	close(stop)
	readers.Wait()
}

// oneView checks that a view is of one moment: both rows of its last Record,
// and as many rows as Records.
func (c *client) oneView() {
	v, err := c.View()
	if err != nil {
		c.Errorf("View = %v", err)
		return
	}
	defer v.Close()
	if v.Seq() == 0 {
		return
	}
	left, err1 := v.Get(key("left"))
	right, err2 := v.Get(key("right"))
	if err := errors.Join(err1, err2); err != nil || string(left.Value) != string(right.Value) || left.Seq != v.Seq() {
		c.Errorf("view of %d: left %s of %d, right %s of %d, %v", v.Seq(), left.Value, left.Seq, right.Value, right.Seq, err)
	}
	if n := len(c.rowsOf(v, store.AllRows())); n != int(v.Seq())+2 {
		c.Errorf("view of %d has %d rows", v.Seq(), n)
	}
}
