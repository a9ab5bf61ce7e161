package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// An OutboxDir is a Mailer for where there is no mail server: it writes each
// mail into a file that only the owner of the server can read. The newest
// maxMailFiles of an app are kept.
type OutboxDir struct {
	dir string
	mu  sync.Mutex // one writer at a time
}

const maxMailFiles = 1000

// NewOutboxDir returns an OutboxDir in the directory, which is made with the
// first mail.
func NewOutboxDir(dir string) *OutboxDir { return &OutboxDir{dir: dir} }

// file is where a mail is. An app key that differs in case only is another app,
// on file systems, too, that do not see the difference.
func (o *OutboxDir) file(app, id string) string {
	return filepath.Join(o.dir, fmt.Sprintf("%x", app), id+".eml")
}

// Mail implements Mailer.
func (o *OutboxDir) Mail(_ context.Context, m *Mail) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	name := o.file(m.App, m.ID)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(m.bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	ids, err := o.list(m.App)
	for ; err == nil && len(ids) > maxMailFiles; ids = ids[1:] {
		err = os.Remove(o.file(m.App, ids[0]))
	}
	return err
}

// list returns the ids of an app's mails, the oldest first.
func (o *OutboxDir) list(app string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(o.file(app, "")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, entry := range entries {
		if id, ok := strings.CutSuffix(entry.Name(), ".eml"); ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// read returns one mail as it was written; fs.ErrNotExist when there is none.
// Ids come from list, so that what a request asks for is never part of a path.
func (o *OutboxDir) read(app, id string) ([]byte, error) {
	ids, err := o.list(app)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ids, id) {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(o.file(app, id))
}

// clear removes an app's mails and returns how many there were.
func (o *OutboxDir) clear(app string) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	ids, err := o.list(app)
	n := 0
	for _, id := range ids {
		if removed := os.Remove(o.file(app, id)); removed != nil {
			err = errors.Join(err, removed)
		} else {
			n++
		}
	}
	return n, err
}
