package engine

import (
	"net/textproto"
	"strconv"
	"testing"
	"time"

	"postern/auth"
	"postern/engine/store"
)

// What tests of the outbox need to see from inside.

const MaxOutbox = maxOutbox

// OutboxNudge makes the outbox look, after the clock was moved.
func (e *Engine) OutboxNudge() { e.outbox.nudge() }

func outboxWait(t testing.TB, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatal("the outbox never ", what)
		case <-look.C:
		}
	}
}

// OutboxIdle returns when n rows wait in all apps.
func (e *Engine) OutboxIdle(t testing.TB, n int) {
	t.Helper()
	outboxWait(t, "has "+strconv.Itoa(n)+" mails", func() bool {
		have := 0
		for _, a := range e.apps.Load().byKey {
			have += a.view.Load().outbox.Len()
		}
		return have == n
	})
}

// OutboxTried returns when a mail of the app has been tried so often.
func (e *Engine) OutboxTried(t testing.TB, app string, attempts int) {
	t.Helper()
	a, _ := e.appByKey(app)
	outboxWait(t, "tries "+strconv.Itoa(attempts)+" times", func() bool {
		most := 0
		a.view.Load().outbox.Scan(func(_ string, row *outboxRow) bool {
			most = max(most, row.Attempts)
			return true
		})
		return most >= attempts
	})
}

// OutboxFill queues as many mails as there may be.
func (e *Engine) OutboxFill(t testing.TB, app string) {
	t.Helper()
	a, _ := e.appByKey(app)
	for i := range maxOutbox {
		in := &fillOutbox{a, "fill-" + strconv.Itoa(i)}
		if i%groupOps == groupOps-1 || i == maxOutbox-1 {
			if err := e.committer.submit(a, in); err != nil {
				t.Fatal(err)
			}
		} else if _, err := e.committer.enqueue(a, in); err != nil {
			t.Fatal(err)
		}
	}
	e.OutboxIdle(t, maxOutbox)
}

// PermanentMailError is what a mail server says to a mail that it will never
// take.
func PermanentMailError() error { return &textproto.Error{Code: 550, Msg: "no such user"} }

// ImportedHash tells whether the password of a user is still the one that was
// imported.
func (e *Engine) ImportedHash(app, user string) bool {
	a, _ := e.appByKey(app)
	p, ok := a.view.Load().accounts.Get(user)
	_, err := auth.ImportHash("bcrypt", p.Password)
	return ok && err == nil
}

type fillOutbox struct {
	app *app
	id  string
}

func (in *fillOutbox) plan(d *draft) ([]store.Op, error) {
	return []store.Op{outboxOp(in.app, in.id, &outboxRow{Purpose: toReset, User: "nobody", Created: d.now, Next: d.now + 1<<40})}, nil
}

// MailBytes is a mail as it goes over the wire.
func MailBytes(m *Mail) []byte { return m.bytes() }

// Settle returns when the work that no request waits for is done.
func (e *Engine) Settle() { e.tasks.Wait() }
