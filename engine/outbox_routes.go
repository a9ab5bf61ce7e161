package engine

import (
	"bytes"
	"errors"
	"io/fs"
	"net/mail"

	"github.com/valyala/fasthttp"
)

// The outbox as operators and the master see it: what waits, and, where there
// is no mail server, what was written instead of being sent.

// box returns the directory that stands for a mail server, nil if there is one.
func (e *Engine) box() *OutboxDir {
	box, _ := e.config.Mailer.(*OutboxDir)
	return box
}

func (e *Engine) listOutbox(r *Request) error {
	var items [][]byte
	if box := e.box(); box != nil {
		ids, err := box.list(r.app.key)
		if err != nil {
			return err
		}
		for _, id := range ids {
			text, err := box.read(r.app.key, id)
			if err != nil {
				continue // cleared in between
			}
			o := new(jsonObject).text("id", id).text("state", "written")
			if m, err := mail.ReadMessage(bytes.NewReader(text)); err == nil {
				o.text("to", m.Header.Get("To")).text("subject", m.Header.Get("Subject"))
			}
			items = append(items, o.close())
		}
	}
	r.view.outbox.Scan(func(id string, row *outboxRow) bool {
		if row.Purpose != "" {
			o := new(jsonObject).text("id", id).text("state", "waiting").text("purpose", string(row.Purpose)).text("user", row.User).
				time("created", row.Created).number("attempts", int64(row.Attempts)).time("next", row.Next)
			if row.Error != "" {
				o.text("error", row.Error)
			}
			items = append(items, o.close())
		}
		return true
	})
	return r.json(fasthttp.StatusOK, jsonList(items))
}

func (e *Engine) showMail(r *Request) error {
	box := e.box()
	if box == nil {
		return fault(errEntityNotFound, "mails are sent, not kept")
	}
	text, err := box.read(r.app.key, r.param(0))
	if errors.Is(err, fs.ErrNotExist) {
		return fault(errEntityNotFound, "the outbox has no such mail")
	}
	if err != nil {
		return err
	}
	return r.json(fasthttp.StatusOK, new(jsonObject).text("id", r.param(0)).text("mail", string(text)).close())
}

func (e *Engine) clearOutbox(r *Request) error {
	n := 0
	if box := e.box(); box != nil {
		var err error
		if n, err = box.clear(r.app.key); err != nil {
			return err
		}
	}
	in := &settleMail{app: r.app}
	r.view.outbox.Scan(func(id string, row *outboxRow) bool {
		if row.Purpose != "" {
			n++
		}
		in.ids = append(in.ids, id)
		return len(in.ids) < groupOps-8 // the rest by the next call
	})
	if err := e.committer.submit(r.app, in); err != nil {
		return err
	}
	return r.count(n)
}
