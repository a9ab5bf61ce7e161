package engine

import (
	"context"
	"errors"
	"net/textproto"
	"strings"
	"sync"
	"time"

	"postern/auth"
	"postern/engine/store"
)

// The outbox holds the mails that are to be sent, as rows: a mail that was
// acknowledged is sent at least once, whatever happens in between. A row says
// whom it is for and why. The text, with the token in its link, is made when
// the mail is about to be sent, and the token's digest is stored before; so
// neither the store nor a backup holds anything that opens an account.

const (
	maxOutbox  = 10_000         // mails of one app that wait
	maxMailAge = 24 * time.Hour // then sending is given up
	firstRetry = 30 * time.Second
	lastRetry  = time.Hour
)

// outboxRow is a mail that waits; its key is the mail's id. Without a purpose
// it is nobody's.
type outboxRow struct {
	Purpose  purpose `json:"purpose,omitempty"`
	User     string  `json:"user,omitempty"`
	Created  int64   `json:"created"` // Unix ms
	Next     int64   `json:"next"`    // Unix ms of the next attempt
	Attempts int     `json:"attempts,omitempty"`
	Error    string  `json:"error,omitempty"` // of the last attempt
}

func outboxOp(a *app, id string, row *outboxRow) store.Op {
	op := store.Op{Key: store.Key{App: a.number, Table: tableOutbox, ID: id}, Quiet: true}
	if row != nil {
		op.Value = encodeRow(row)
	}
	return op
}

func (s *appState) applyOutbox(id string, value []byte) error {
	return applyTo(s.outbox, id, value)
}

// settleMail writes down how an attempt ended: the row goes (nil), or waits for
// the next one. A row that was cleared in the meantime stays away.
type settleMail struct {
	app *app
	ids []string
	row *outboxRow
}

func (*settleMail) frugal() {}

func (in *settleMail) plan(d *draft) ([]store.Op, error) {
	var ops []store.Op
	for _, id := range in.ids {
		if _, ok := d.state(in.app).outbox.Get(id); ok {
			ops = append(ops, outboxOp(in.app, id, in.row))
		}
	}
	return ops, nil
}

// outbox sends what waits, one mail at a time.
type outbox struct {
	e      *Engine
	wake   chan struct{} // capacity 1
	ctx    context.Context
	cancel context.CancelFunc
	over   sync.WaitGroup
}

func startOutbox(e *Engine) *outbox {
	o := &outbox{e: e, wake: make(chan struct{}, 1)}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.over.Go(o.run)
	o.nudge() // what an earlier run has left
	return o
}

// nudge makes the outbox look for mails that are due.
func (o *outbox) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// stop ends an attempt that is being made; its mail is sent after the next
// start.
func (o *outbox) stop() {
	o.cancel()
	o.over.Wait()
}

func (o *outbox) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait := time.Hour
		for _, a := range o.e.apps.Load().byNumber {
			wait = min(wait, o.pass(a))
		}
		timer.Reset(wait)
		select {
		case <-o.ctx.Done():
			return
		case <-o.wake:
		case <-timer.C:
		}
	}
}

// pass sends the mails of an app that are due and returns how long it is until
// the next one is.
func (o *outbox) pass(a *app) time.Duration {
	wait := time.Hour
	a.view.Load().outbox.Scan(func(id string, row *outboxRow) bool {
		if o.ctx.Err() != nil {
			return false
		}
		if left := time.Duration(row.Next-o.e.now()) * time.Millisecond; left > 0 {
			wait = min(wait, left)
			return true
		}
		wait = min(wait, o.attempt(a, id, row))
		return true
	})
	return wait
}

// attempt sends one mail and returns how long it is until it is due again.
func (o *outbox) attempt(a *app, id string, row *outboxRow) time.Duration {
	wait := time.Hour
	if _, ok := a.view.Load().outbox.Get(id); !ok {
		return wait // cleared since
	}
	err := o.send(a, id, row)
	if o.ctx.Err() != nil && err != nil {
		return wait // the next start
	}
	log := o.e.config.Logger
	in := &settleMail{app: a, ids: []string{id}}
	if err != nil {
		now := o.e.now()
		if now-row.Created >= maxMailAge.Milliseconds() || permanent(err) {
			log.Error("a mail is given up", "app", a.key, "mail", id, "error", mailProblem(err))
		} else {
			log.Warn("a mail could not be sent yet", "app", a.key, "mail", id, "error", mailProblem(err))
			next := *row
			next.Attempts++
			next.Error = mailProblem(err)
			wait = backoff(next.Attempts)
			next.Next = now + wait.Milliseconds()
			in.row = &next
		}
	}
	if err := o.e.committer.submit(a, in); err != nil {
		// It stands as it was and is sent once more.
		log.Error("settling a mail", "app", a.key, "mail", id, "error", err)
		return firstRetry
	}
	return wait
}

// backoff is how long to wait after the n-th failure.
func backoff(n int) time.Duration {
	if n > 7 {
		return lastRetry
	}
	return min(firstRetry<<(n-1), lastRetry)
}

// permanent tells whether a mail server has said that trying again is of no
// use.
func permanent(err error) bool {
	var p *textproto.Error
	return errors.As(err, &p) && p.Code >= 500 && p.Code < 600
}

// mailProblem is what is told and kept of an error: a mail server may say
// whatever it likes, at any length.
func mailProblem(err error) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	return text[:min(len(text), 300)]
}

// send makes the mail of a row and hands it over. nil also means that there is
// nothing to send.
func (o *outbox) send(a *app, id string, row *outboxRow) error {
	e := o.e
	if row.Purpose == "" || e.config.Mailer == nil {
		return nil
	}
	m := &Mail{ID: id, App: a.key, From: e.config.MailFrom, Date: unixTime(e.now())}
	name := a.view.Load().config.Name
	switch row.Purpose {
	case toUsername:
		s := a.view.Load()
		address, _, ok := s.reachable(row.User, toUsername)
		if !ok {
			return nil
		}
		var names []string
		for _, user := range s.usersAt(address) {
			if _, known, ok := s.reachable(user, toUsername); ok {
				names = append(names, known.Username)
			}
		}
		m.To = address
		m.Subject, m.Text = mailText(toUsername, name, strings.Join(names, "\n"), "")
	default:
		token, digest := newLinkToken(e)
		in := &issueLink{app: a, purpose: row.Purpose, user: row.User, digest: digest}
		switch err := e.committer.submit(a, in); {
		case errors.Is(err, errUserNotFound):
			return nil // gone or suspended since
		case err != nil:
			return err
		}
		m.To = in.address
		path := []byte(e.config.PublicURL + "/-/" + string(row.Purpose) + "/" + a.key + "/")
		path = appendSegment(path, row.User)
		m.Subject, m.Text = mailText(row.Purpose, name, in.username, string(path)+"/"+token)
	}
	return e.config.Mailer.Mail(o.ctx, m)
}

// newLinkToken makes the token of a link: two secrets' worth of hex digits,
// which no mail program breaks.
func newLinkToken(e *Engine) (token string, digest auth.Digest) {
	token = auth.NewSecret(e.Random()) + auth.NewSecret(e.Random())
	return token, auth.SecretDigest(token)
}
