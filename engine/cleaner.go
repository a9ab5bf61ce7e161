package engine

import (
	"errors"
	"sync"
	"time"

	"postern/engine/store"
)

// The cleaner removes the rows of dropped collections and old records of the audit,
// and has histories trimmed, a batch at a time, through the committer like everybody else.
type cleaner struct {
	e    *Engine
	wake chan struct{} // capacity 1
	quit chan struct{}
	over sync.WaitGroup
}

const (
	cleanBatch = 256
	cleanEvery = time.Hour
)

func startCleaner(e *Engine) *cleaner {
	c := &cleaner{e: e, wake: make(chan struct{}, 1), quit: make(chan struct{})}
	c.over.Go(c.run)
	c.nudge()
	return c
}

// nudge makes the cleaner look for work.
func (c *cleaner) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *cleaner) stop() {
	close(c.quit)
	c.over.Wait()
}

func (c *cleaner) run() {
	round := time.NewTicker(cleanEvery)
	defer round.Stop()
	for {
		select {
		case <-c.quit:
			return
		case <-c.wake:
		case <-round.C:
		}
		if err := c.trimAudit(); err != nil && !errors.Is(err, errStopped) {
			c.e.config.Logger.Error("removing old records of the audit", "error", err)
		}
		c.e.snapshots.sweep() // the files of what was dropped go first
		for _, a := range c.e.apps.Load().byNumber {
			if a.view.Load().config.Deleted != 0 {
				if err := c.cleanApp(a); err != nil && !errors.Is(err, errStopped) {
					c.e.config.Logger.Error("cleaning a deleted app", "app", a.key, "error", err)
				}
				continue
			}
			if err := c.trim(a); err != nil && !errors.Is(err, errStopped) {
				c.e.config.Logger.Error("trimming what collections remember", "app", a.key, "error", err)
			}
			a.view.Load().dropped.Scan(func(number uint32, _ struct{}) bool {
				err := c.clean(a, number)
				if err != nil && !errors.Is(err, errStopped) {
					c.e.config.Logger.Error("cleaning a dropped collection", "app", a.key, "error", err)
				}
				return err == nil
			})
		}
	}
}

// cleanApp removes the rows of a deleted app. Its settings stay: they hold its
// key and its number, which nobody gets again.
func (c *cleaner) cleanApp(a *app) error {
	for {
		select {
		case <-c.quit:
			return errStopped
		default:
		}
		keys, err := c.batch(store.OfApp(a.number))
		if err != nil || len(keys) == 0 {
			return err
		}
		if err := c.e.committer.submit(a, &wipe{app: a, keys: keys}); err != nil {
			return err
		}
	}
}

// clean removes the rows of one dropped collection and then the mark.
func (c *cleaner) clean(a *app, number uint32) error {
	for {
		select {
		case <-c.quit:
			return errStopped
		default:
		}
		keys, err := c.batch(store.OfCollection(a.number, tableEntity, number))
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return c.e.committer.submit(a, &wipe{app: a, number: number,
				keys: []store.Key{
					{App: a.number, Table: tableCount, Collection: number},
					{App: a.number, Table: tableDropped, Collection: number},
				}})
		}
		if err := c.e.committer.submit(a, &wipe{app: a, number: number, keys: keys}); err != nil {
			return err
		}
	}
}

var errEnough = errors.New("enough")

// batch returns the keys of some rows that are left.
func (c *cleaner) batch(rows store.Prefix) ([]store.Key, error) {
	view, err := c.e.driver.View()
	if err != nil {
		return nil, err
	}
	defer view.Close()
	var keys []store.Key
	err = view.Scan(rows, func(row store.Row) error {
		keys = append(keys, row.Key)
		if len(keys) == cleanBatch {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return keys, err
}

// wipe deletes rows of a dropped collection.
type wipe struct {
	app    *app
	number uint32
	keys   []store.Key
}

func (*wipe) frugal() {}

func (in *wipe) plan(d *draft) ([]store.Op, error) {
	s := d.state(in.app)
	if _, dropped := s.dropped.Get(in.number); !dropped && s.config.Deleted == 0 {
		return nil, nil
	}
	ops := make([]store.Op, len(in.keys))
	for i, k := range in.keys {
		ops[i] = store.Op{Key: k, Quiet: true}
	}
	return ops, nil
}
