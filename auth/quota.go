package auth

import (
	"sync"
	"time"
)

// A QuotaKind is a call that anyone with the public app secret may make.
type QuotaKind uint8

const (
	SignUp QuotaKind = iota
	Exists
	Reset
	Verification
	Mail           // to one account; the caller counts by the account in the place of the network
	Page           // of a link in a mail, opened or submitted
	Login          // of a login at an identity provider, begun or come back to
	quotaKinds int = iota
)

// An Allowance lets Burst calls pass at once and one more per Every. The zero value
// is no limit.
type Allowance struct {
	Burst int
	Every time.Duration
}

// QuotaLimits are the allowances of one app and network. The zero value limits
// nothing. Entries bounds how many (app, network, kind) are remembered; zero is 65,536.
type QuotaLimits struct {
	SignUp, Exists, Reset, Verification, Mail, Page, Login Allowance
	Entries                                                int
}

// DefaultQuota is for servers.
var DefaultQuota = QuotaLimits{
	SignUp:       Allowance{Burst: 30, Every: 10 * time.Second},
	Exists:       Allowance{Burst: 60, Every: 5 * time.Second},
	Reset:        Allowance{Burst: 5, Every: 5 * time.Minute},
	Verification: Allowance{Burst: 5, Every: 5 * time.Minute},
	Mail:         Allowance{Burst: 5, Every: 20 * time.Minute},
	Page:         Allowance{Burst: 30, Every: 10 * time.Second},
	Login:        Allowance{Burst: 300, Every: time.Second}, // a company comes from one address
}

// A Quota limits the calls that need nothing but the public app secret, for each app,
// network and kind apart. It is safe for concurrent use.
type Quota struct {
	rates [quotaKinds]rate // a zero full: unlimited

	mu      sync.Mutex // guards below
	buckets *table[quotaBucket]
}

type quotaBucket struct {
	bucket
	kind QuotaKind
}

// NewQuota returns a Quota in which nothing has been used.
func NewQuota(l QuotaLimits) *Quota {
	q := &Quota{}
	for kind, a := range [quotaKinds]Allowance{l.SignUp, l.Exists, l.Reset, l.Verification, l.Mail, l.Page, l.Login} {
		if a.Burst > 0 && a.Every > 0 {
			full := float64(a.Burst)
			q.rates[kind] = rate{free: full, full: full, perHour: float64(time.Hour) / float64(a.Every)}
		}
	}
	if l.Entries <= 0 {
		l.Entries = defaultEntries
	}
	q.buckets = newTable(l.Entries, func(b *quotaBucket, now int64) bool {
		b.drain(now, q.rates[b.kind])
		return b.level > q.rates[b.kind].full/2
	})
	return q
}

// Allow takes one call from the allowance, or returns how long to wait for the next.
// A kind it does not know is never allowed.
func (q *Quota) Allow(now time.Time, app, network string, kind QuotaKind) (wait time.Duration, ok bool) {
	if int(kind) >= quotaKinds {
		return time.Hour, false
	}
	r := q.rates[kind]
	if r.full == 0 {
		return 0, true
	}
	id, t := idOf(app, network, string(rune('0'+kind))), now.UnixNano()
	q.mu.Lock()
	defer q.mu.Unlock()
	b, _ := q.buckets.make(id, t)
	b.kind = kind
	if wait := b.wait(t, r); wait > 0 {
		return wait, false
	}
	b.charge(t, r)
	return 0, true
}
