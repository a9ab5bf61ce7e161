package engine

import (
	"context"
	"fmt"
	"mime"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"postern/auth"
	"postern/engine/document"
)

// A Mail is one message to one address. Text is UTF-8 with \n line ends; it may
// hold a link that opens an account, so it is neither logged nor stored.
type Mail struct {
	ID      string // printable, unique
	App     string // app key
	From    string // address
	To      string // address
	Subject string
	Text    string
	Date    time.Time
}

// A Mailer takes mails over. nil means that it will not lose the mail; after an
// error the mail is tried again later, so one may come twice.
type Mailer interface {
	Mail(ctx context.Context, m *Mail) error
}

// bytes returns the message in the form of the wire, with CRLF line ends.
// Nothing in a header can end its line: addresses were checked by mailAddress,
// the subject is encoded.
func (m *Mail) bytes() []byte {
	var b strings.Builder
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, value) }
	_, host, _ := strings.Cut(m.From, "@")
	header("From", "<"+m.From+">")
	header("To", "<"+m.To+">")
	header("Subject", mime.QEncoding.Encode("utf-8", m.Subject))
	header("Date", m.Date.UTC().Format(time.RFC1123Z))
	header("Message-ID", "<"+m.ID+"@"+host+">")
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "8bit")
	b.WriteString("\r\n")
	b.WriteString(strings.ReplaceAll(m.Text, "\n", "\r\n"))
	return []byte(b.String())
}

// mailAddress tells whether a mail can be sent to s: one plain ASCII address,
// with nothing in it that means something in a header or to a mail server.
// What else a user may call his address is stored and never written to.
func mailAddress(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || len(local) > 64 || domain == "" || len(s) > 254 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),:;<>[\]`, c) >= 0 {
			return false
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, notInDomain) {
			return false
		}
	}
	return true
}

func notInDomain(c rune) bool {
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-')
}

// checkMail refuses settings with which a mail would be of no use, and fills in
// the sender.
func (c *Config) checkMail() error {
	if c.PublicURL == "" {
		if c.Mailer != nil {
			return fmt.Errorf("mails need a public URL for their links")
		}
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("public URL %q: want https://host or https://host:port", c.PublicURL)
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if c.MailFrom == "" {
		c.MailFrom = "postern@" + u.Hostname()
		if !mailAddress(c.MailFrom) {
			c.MailFrom = "postern@localhost" // the host is an IPv6 address
		}
	}
	from, err := mail.ParseAddress(c.MailFrom)
	if err != nil || !mailAddress(from.Address) {
		return fmt.Errorf("sender %q: want an e-mail address", c.MailFrom)
	}
	c.MailFrom = from.Address
	return nil
}

// A purpose is what a link in a mail is good for.
type purpose string

const (
	toReset    purpose = "reset"    // set a new password
	toVerify   purpose = "verify"   // confirm the address
	toUsername purpose = "username" // a reminder of names; has no link
)

// lifetime is how long a link works.
func (p purpose) lifetime() time.Duration {
	if p == toReset {
		return time.Hour
	}
	return 24 * time.Hour
}

// mailRow is what mails to a user have led to. It is never changed in place.
type mailRow struct {
	Reset     mailState `json:"reset,omitzero"`
	Verify    mailState `json:"verify,omitzero"`
	Confirmed int64     `json:"confirmed,omitempty"` // Unix ms when Address was last confirmed
	Address   string    `json:"address,omitempty"`   // that Verify is about
}

// mailState is how far one purpose has come, and the one link that is good for
// it. The zero value is: nothing was asked for.
type mailState struct {
	Asked int64 `json:"asked,omitempty"` // Unix ms of the last change, 0 = nothing asked
	Link  link  `json:"link,omitzero"`
}

// A link lets whoever holds its token act once for the user in whose row it
// stands. It dies with his credential generation, his address and its time.
type link struct {
	Digest     auth.Digest `json:"digest"`
	Generation uint64      `json:"generation"`
	Address    string      `json:"address"`
	Expires    int64       `json:"expires"` // Unix ms
}

// state returns the state of one purpose.
func (m *mailRow) state(p purpose) *mailState {
	if p == toReset {
		return &m.Reset
	}
	return &m.Verify
}

// mailed returns a copy of what mails have led to, to be edited.
func (p *privateRow) mailed() *mailRow {
	if p.Mail == nil {
		return new(mailRow)
	}
	m := *p.Mail
	return &m
}

// confirmed tells whether the user has confirmed the address.
func (p *privateRow) confirmed(address string) bool {
	return p.Mail != nil && p.Mail.Confirmed != 0 && p.Mail.Address == address && address != ""
}

// emailOf returns the address of a user, "" when there is none that a mail can
// be sent to.
func emailOf(e *entity) string {
	if s := documentOf(e).Get("email"); s.Kind() == document.String {
		if text := s.Text(); mailAddress(text) {
			return text
		}
	}
	return ""
}

// emailKey is the key under which the users with an address are found. An
// address is ASCII, so that folding it can only change the case of letters;
// and a mail goes to the address that is stored, never to the one asked for.
func emailKey(address, user string) string { return strings.ToLower(address) + "\x00" + user }

func (s *appState) indexEmail(old, now *entity) {
	if old != nil {
		if a := emailOf(old); a != "" {
			s.emails.Delete(emailKey(a, old.id))
		}
	}
	if now != nil {
		if a := emailOf(now); a != "" {
			s.emails.Set(emailKey(a, now.id), struct{}{})
		}
	}
}

// maxSameAddress bounds the users of one address that a mail is sent for.
const maxSameAddress = 10

// usersAt returns the users who have the address, some of them if many do.
func (s *appState) usersAt(address string) []string {
	if !mailAddress(address) {
		return nil
	}
	var users []string
	prefix := emailKey(address, "")
	s.emails.Ascend(prefix, func(k string, _ struct{}) bool {
		user, ok := strings.CutPrefix(k, prefix)
		if !ok {
			return false
		}
		users = append(users, user)
		return len(users) < maxSameAddress
	})
	return users
}

// reachable finds a user to whom a mail with a link may be sent: he is active,
// has an address, and for a new password he has one.
func (s *appState) reachable(user string, p purpose) (address string, a *account, ok bool) {
	a, known := s.accounts.Get(user)
	e, listed := s.user(user)
	if !known || !listed || a.Suspended != 0 || a.Locked != 0 || p == toReset && a.Password == "" {
		return "", nil, false
	}
	address = emailOf(e)
	return address, a, address != ""
}

// unverified tells whether the app keeps a user out until he has confirmed his
// address.
func (s *appState) unverified(id string, p *privateRow) bool {
	v := s.config.Options.Verification
	if !v.Required || p.Identity != "" { // who was verified elsewhere needs no mail
		return false
	}
	e, ok := s.user(id)
	return ok && v.keepsOut(e.ect) && !p.confirmed(emailOf(e))
}

// verification is what an app asks of its users' addresses.
type verification struct {
	Auto     bool  `json:"auto"`            // a mail is sent at sign-up and after a change of address
	Required bool  `json:"required"`        // nobody logs in before he has confirmed
	Since    int64 `json:"since,omitempty"` // Unix ms: Required is for accounts that are older; 0 = for all
}

func (v verification) keepsOut(created int64) bool {
	return v.Required && (v.Since == 0 || created < v.Since)
}

// set reads the setting as it is shown.
func (v *verification) set(doc document.Value) error {
	bad := fault(errOutOfRange, "emailVerification has the members auto and required, true or false, and since, a time or null")
	if doc.Kind() == document.Null {
		*v = verification{}
		return nil
	}
	if doc.Kind() != document.Object {
		return bad
	}
	for key, m := range doc.Members() {
		switch name := key.Text(); {
		case name == "auto" && m.Kind() == document.Bool:
			v.Auto = m.Bool()
		case name == "required" && m.Kind() == document.Bool:
			v.Required = m.Bool()
		case name == "since" && m.Kind() == document.Null:
			v.Since = 0
		case name == "since" && m.Kind() == document.String && timeOf(m) != 0:
			v.Since = timeOf(m)
		default:
			return bad
		}
	}
	return nil
}

func (v verification) json() string {
	o := new(jsonObject).flag("auto", v.Auto).flag("required", v.Required)
	if v.Since == 0 {
		o.raw("since", "null")
	}
	return string(o.time("since", v.Since).close())
}

// mayEnter decides whether a user whose credentials were found right may use
// them.
func (s *appState) mayEnter(id string, a *account) error {
	switch {
	case a.Locked != 0:
		return errLockedDown
	case s.unverified(id, &a.privateRow):
		return errUnverified
	}
	return nil
}

// lockedDown tells whether the session would count if its user were not locked
// down.
func (s *appState) lockedDown(n *session) bool {
	a, ok := s.accounts.Get(n.User)
	return ok && a.Locked != 0 && a.Suspended == 0 && a.Generation == n.Generation
}

// accountForm is a user's record as he himself and the master see it: what of
// his _kmd is private, and the token of the session that he is to use next.
// Every body that we make ends with the _kmd.
func accountForm(app, token string, body []byte, p *privateRow) []byte {
	out := append(make([]byte, 0, len(body)+192), body[:len(body)-2]...)
	if p.LastLogin != 0 {
		out = append(appendTime(append(out, `,"llt":"`...), p.LastLogin), '"')
	}
	since, status := p.Suspended, "disabled"
	if since == 0 {
		since, status = p.Locked, "lockedDown"
	}
	if since != 0 {
		out = append(append(append(out, `,"status":{"val":"`...), status...), `","lastChange":"`...)
		out = append(appendTime(out, since), `"}`...)
	}
	if m := p.Mail; m != nil {
		if m.Reset.Asked != 0 {
			out = appendTime(append(out, `,"passwordReset":{"status":"InProgress","lastStateChangeAt":"`...), m.Reset.Asked)
			out = append(out, `"}`...)
		}
		if m.Verify.Asked != 0 {
			o := new(jsonObject)
			if m.Confirmed != 0 && m.Confirmed >= m.Verify.Asked {
				o.text("status", "confirmed")
			} else {
				o.text("status", "sent")
			}
			o.time("lastStateChangeAt", m.Verify.Asked).time("lastConfirmedAt", m.Confirmed).text("emailAddress", m.Address)
			out = append(append(out, `,"emailVerification":`...), o.close()...)
		}
	}
	if token != "" {
		out = document.AppendQuote(append(out, `,"authtoken":`...), token)
	}
	out = append(out, '}')
	if p.Identity != "" {
		out = append(out, `,"_socialIdentity":{"kinveyAuth":`...)
		out = append(out, new(jsonObject).text("id", p.Identity).text("audience", app).close()...)
		out = append(out, '}')
	}
	return append(out, '}')
}
