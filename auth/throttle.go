package auth

import (
	"sync"
	"time"
)

const (
	defaultEntries = 65536

	// newcomerTries is how often a network that an account has not seen before is
	// served as the newcomer: one slip of the finger, then with the others.
	newcomerTries = 2
)

// Limits says how password checks are slowed. The zero value slows nothing; where
// MaxDelay is set, any other zero field takes its value from DefaultLimits.
type Limits struct {
	MaxDelay       time.Duration // longest wait ever asked for; zero: no throttling
	FirstDelay     time.Duration // the first wait; each further one doubles
	PairFree       int           // checks of one account from one network before the first wait
	KnownFree      int           // the same where the network is known to the account
	NetworkFree    int           // checks from one network, of accounts it is not known to
	AccountPerHour int           // checks of one account in any hour from all unknown networks
	KnownFor       time.Duration // how long after a success a network is known to the account
	Entries        int           // accounts, pairs and networks remembered, of each
}

// DefaultLimits is for servers.
var DefaultLimits = Limits{
	MaxDelay:       30 * time.Second,
	FirstDelay:     time.Second,
	PairFree:       7,
	KnownFree:      10,
	NetworkFree:    100,
	AccountPerHour: 100,
	KnownFor:       30 * 24 * time.Hour,
	Entries:        defaultEntries,
}

// A Throttle decides who may have a password checked now. It slows guessing and locks
// nobody out:
//
//   - T1 A network from which an account was used successfully (known to that account)
//     has a bucket of its own for that account. What happens elsewhere does not count.
//   - T2 From other networks, checks are counted for the pair of account and network and
//     for the network; beyond a free number the delay doubles with each, up to MaxDelay.
//   - T3 All unknown networks together get at most AccountPerHour checks of one account
//     in any hour. Four in ten of those that can be saved up are kept for a newcomer:
//     of the networks that have not tried this account before, always the latest to
//     ask. So a user on a new network does not compete with those who have been
//     guessing for a while, unless the attacker brings a new network every minute and
//     for many minutes.
//   - T4 A check is charged when it is admitted, so that a thousand at once are no
//     cheaper than a thousand in a row. A success takes the charge back.
//   - T5 Memory is bounded. A network pays from its own bucket for every pair it makes
//     the Throttle remember, and buckets in use are kept when others are dropped.
//
// Every method takes the time from the caller. A Throttle is safe for concurrent use.
type Throttle struct {
	off                bool
	maxDelay, knownFor time.Duration

	pair, known, network rate
	spacing              rate // of newcomers among each other, and of the others
	newcomer, repeat     rate // how full an account may get, for either

	mu       sync.Mutex // guards below
	pairs    *table[pairState]
	accounts *table[accountState]
	networks *table[bucket]
	success  *table[int64] // by pair: when it last succeeded
}

type pairState struct {
	bucket
	pending  int // charges whose outcome is not known yet
	unknown  int // of these, such that went to account and network as well
	newcomer int // of these, such that went to the newcomer's part
}

type accountState struct {
	all              bucket   // every check from an unknown network
	newcomer, repeat bucket   // the same in two parts, for the spacing
	latest           bucketID // the pair that is served as the newcomer
	tries            int      // how often it still may be
}

// NewThrottle returns a Throttle that has seen nothing yet.
func NewThrottle(l Limits) *Throttle {
	if l.MaxDelay <= 0 {
		return &Throttle{off: true}
	}
	d := DefaultLimits
	setDefault(&l.FirstDelay, d.FirstDelay)
	setDefault(&l.PairFree, d.PairFree)
	setDefault(&l.KnownFree, d.KnownFree)
	setDefault(&l.NetworkFree, d.NetworkFree)
	setDefault(&l.AccountPerHour, d.AccountPerHour)
	setDefault(&l.KnownFor, d.KnownFor)
	setDefault(&l.Entries, d.Entries)

	slow := func(free, full, perHour float64) rate {
		return rate{free: free, full: full, perHour: perHour, first: l.FirstDelay, most: l.MaxDelay}
	}
	n := float64(l.AccountPerHour)
	t := &Throttle{
		maxDelay: l.MaxDelay,
		knownFor: l.KnownFor,
		pair:     slow(float64(l.PairFree), 0, 60),
		known:    slow(float64(l.KnownFree), 0, 60),
		network:  slow(float64(l.NetworkFree), 0, 100),
		spacing:  slow(max(1, 0.05*n), 0, 60),
		// What can be saved up and what drains in an hour add up to n at most.
		newcomer: rate{free: n, full: max(2, 0.40*n), perHour: 0.58 * n},
		repeat:   rate{free: n, full: max(1, 0.24*n), perHour: 0.58 * n},
	}
	t.pairs = newTable(l.Entries, func(p *pairState, now int64) bool {
		p.drain(now, t.pair)
		return p.level >= t.pair.free/2
	})
	t.accounts = newTable(l.Entries, func(a *accountState, now int64) bool {
		a.all.drain(now, t.repeat)
		return a.all.level >= t.spacing.free
	})
	t.networks = newTable(l.Entries, func(b *bucket, now int64) bool {
		b.drain(now, t.network)
		return b.level >= t.network.free/2
	})
	t.success = newTable(l.Entries, func(at *int64, now int64) bool { return t.recent(*at, now) })
	return t
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}

// Admit says whether a password for account may be checked now. If so it has already
// counted as a failure, and exactly one of Failed, Succeeded and Undo must follow. If
// not, the caller should be told to come back after wait, which is at least a
// nanosecond and at most MaxDelay; he may then be asked to wait again.
func (t *Throttle) Admit(now time.Time, app, account, network string) (wait time.Duration, ok bool) {
	if t.off {
		return 0, true
	}
	n, pairID := now.UnixNano(), idOf(app, account, network)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.isKnown(pairID, n) {
		p, _ := t.pairs.make(pairID, n)
		if wait := p.wait(n, t.known); wait > 0 {
			return min(wait, t.maxDelay), false
		}
		p.charge(n, t.known)
		p.pending++
		return 0, true
	}

	net, _ := t.networks.make(idOf(network), n)
	if wait := net.wait(n, t.network); wait > 0 {
		return min(wait, t.maxDelay), false
	}
	p, isNew := t.pairs.make(pairID, n)
	a, _ := t.accounts.make(idOf(app, account), n)
	if isNew {
		a.latest, a.tries = pairID, newcomerTries
	}
	newcomer := a.tries > 0 && a.latest == pairID
	part, r := &a.repeat, t.repeat
	if newcomer {
		part, r = &a.newcomer, t.newcomer
	}
	if wait := max(p.wait(n, t.pair), part.wait(n, t.spacing), a.all.wait(n, r)); wait > 0 {
		if isNew {
			net.charge(n, t.network) // T5
		}
		return min(wait, t.maxDelay), false
	}
	p.charge(n, t.pair)
	part.charge(n, t.spacing)
	a.all.charge(n, r)
	net.charge(n, t.network)
	p.pending++
	p.unknown++
	if newcomer {
		a.tries--
		p.newcomer++
	}
	return 0, true
}

// Failed says that the admitted check found a wrong password or no such account.
func (t *Throttle) Failed(now time.Time, app, account, network string) {
	if t.off {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if p := t.pairs.get(idOf(app, account, network), now.UnixNano()); p != nil {
		p.pending = max(0, p.pending-1)
		p.unknown = min(p.unknown, p.pending)
		p.newcomer = min(p.newcomer, p.unknown)
	}
}

// Succeeded says that the admitted check found the right password. The network is
// known to the account from now on, and the pair starts afresh.
func (t *Throttle) Succeeded(now time.Time, app, account, network string) {
	if t.off {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := now.UnixNano()
	if p := t.refund(n, app, account, network); p != nil {
		p.bucket = bucket{}
	}
	at, _ := t.success.make(idOf(app, account, network), n)
	*at = n
}

// Undo says that the admitted check did not take place (ErrBusy, a cancelled
// request): it takes the charge back.
func (t *Throttle) Undo(now time.Time, app, account, network string) {
	if t.off {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refund(now.UnixNano(), app, account, network)
}

// Known says whether account was used successfully from network within KnownFor. It
// chooses the lane of the Hasher. With limits off everyone is known.
func (t *Throttle) Known(now time.Time, app, account, network string) bool {
	if t.off {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.isKnown(idOf(app, account, network), now.UnixNano())
}

func (t *Throttle) isKnown(pairID bucketID, now int64) bool {
	at := t.success.get(pairID, now)
	return at != nil && t.recent(*at, now)
}

func (t *Throttle) recent(at, now int64) bool { return time.Duration(now-at) < t.knownFor }

// refund takes back what one check was charged and returns the pair, or nil. What went
// to account and network is counted in the pair, because it may have become known
// since. What has been dropped from memory has nothing to give back.
func (t *Throttle) refund(now int64, app, account, network string) *pairState {
	pairID := idOf(app, account, network)
	p := t.pairs.get(pairID, now)
	if p == nil || p.pending == 0 {
		return p
	}
	p.pending--
	p.refund()
	if p.unknown == 0 {
		return p
	}
	p.unknown--
	if net := t.networks.get(idOf(network), now); net != nil {
		net.refund()
	}
	a := t.accounts.get(idOf(app, account), now)
	if a == nil {
		return p
	}
	a.all.refund()
	if p.newcomer == 0 {
		a.repeat.refund()
		return p
	}
	p.newcomer--
	a.newcomer.refund()
	if a.latest == pairID {
		a.tries++
	}
	return p
}
