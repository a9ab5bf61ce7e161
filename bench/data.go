package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"postern/acl"
)

// The kinds of data set. Each is a collection of the same name.
type kind string

const (
	// private: creator and three readers an entity, of one in ten one or two
	// groups besides, one in a hundred for everybody.
	private kind = "private"
	// few is private without those for everybody, so that there can be a user
	// who sees ten entities.
	few kind = "few"
	// shared: everybody sees all but one in a hundred.
	shared kind = "shared"
)

func (k kind) level() acl.Level {
	if k == shared {
		return acl.Shared
	}
	return acl.Private
}

const (
	categories = 50
	tenth      = 10        // entities that the user ten sees
	hiddenOf   = 100       // one in so many is, or is not, for everybody
	bytesOf    = 330       // of an entity as it is served, without _id
	halfExtra  = 0.4949495 // with those for everybody it makes a half
)

// A dataset is the rule that a collection is made by: its n entities follow
// from the seed, and so does who may read each.
type dataset struct {
	seed          uint64
	kind          kind
	n             int
	users, groups int // besides the users half and ten
	hide          func(i int) bool
}

// top is what scores are below: about two entities have the same, so that ties
// are in every page.
func (d *dataset) top() int { return d.n / 2 }

// The two users who are not drawn like the others.
func (d *dataset) half() int { return d.users }
func (d *dataset) ten() int  { return d.users + 1 }

// An item is what an entity is made of. Users and groups are numbers.
type item struct {
	score, category int
	creator         int
	readers         []int
	groups          []int
	gr              string // "", "true" or "false"

	room [6]int // of readers and groups
}

// dice draws numbers; the same ones for the same seeds.
type dice struct{ rand.PCG }

func newDice(seed uint64, what string, i int) dice {
	h := seed
	for _, c := range []byte(what) {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	var d dice
	d.Seed(h, uint64(i)*0x9e3779b97f4a7c15+1)
	return d
}

// below draws a number below n.
func (d *dice) below(n int) int { return int((d.Uint64() >> 11) % uint64(n)) }

func (d *dice) chance(p float64) bool { return float64(d.Uint64()>>11)/(1<<53) < p }

// at makes entity i.
func (d *dataset) at(i int, e *item) {
	r := newDice(d.seed, string(d.kind), i)
	*e = item{score: r.below(d.top()), category: r.below(categories), creator: r.below(d.users)}
	if d.kind == shared {
		if r.below(hiddenOf) == 0 {
			e.gr = "false"
		}
		return
	}
	e.readers, e.groups = e.room[:0:4], e.room[4:4:6]
	for range 3 {
		if u := r.below(d.users); !slices.Contains(e.readers, u) {
			e.readers = append(e.readers, u)
		}
	}
	if r.below(10) == 0 {
		for range 1 + r.below(2) {
			if g := r.below(d.groups); !slices.Contains(e.groups, g) {
				e.groups = append(e.groups, g)
			}
		}
	}
	everybody, half := r.below(hiddenOf) == 0, r.chance(halfExtra)
	switch {
	case d.kind == private && everybody:
		e.gr = "true"
	case d.kind == private && half:
		e.readers = append(e.readers, d.half())
	case d.kind == few && (i+1)*tenth/d.n > i*tenth/d.n:
		e.readers = append(e.readers, d.ten())
	}
}

// memberships are the groups of a user, about five.
func (d *dataset) memberships(user int) []int {
	var in []int
	if user >= d.users {
		return nil
	}
	r := newDice(d.seed, "member", user)
	for range 5 {
		if g := r.below(d.groups); !slices.Contains(in, g) {
			in = append(in, g)
		}
	}
	return in
}

// readable tells whether a user who is in those groups may read the entity: the
// rule itself, written down once more and apart from the engine's.
func (d *dataset) readable(user int, in []bool, e *item) bool {
	if e.creator == user {
		return true
	}
	if d.kind == shared {
		return e.gr != "false"
	}
	if e.gr == "true" || slices.Contains(e.readers, user) {
		return true
	}
	for _, g := range e.groups {
		if in[g] {
			return true
		}
	}
	return false
}

func appendID(b []byte, seed uint64, what string, i int) []byte {
	r := newDice(seed, what, i)
	return fmt.Appendf(b, "%08x%016x", 0x69000000+uint32(i/1000), r.Uint64())
}

func (d *dataset) id(i int) string { return string(appendID(nil, d.seed, string(d.kind)+" id", i)) }

func (d *dataset) userID(u int) string { return string(appendID(nil, d.seed, "user", u)) }

func groupID(g int) string { return fmt.Sprintf("group-%04d", g) }

// epoch is when the first entity was made; the next one was a ms later.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// names are the ids of all users, which are written very often.
func (d *dataset) names() []string {
	names := make([]string, d.users+2)
	for u := range names {
		names[u] = d.userID(u)
	}
	return names
}

const filler = "the quick brown fox jumps over the lazy dog while the rain in the plain stays mainly away from all that "

// append writes entity i as it is to be served, with a look at its item.
func (d *dataset) append(b []byte, names []string, i int, e *item) []byte {
	began := len(b)
	b = append(b, `{"_id":"`...)
	b = appendID(b, d.seed, string(d.kind)+" id", i)
	b = append(b, `","score":`...)
	b = strconv.AppendInt(b, int64(e.score), 10)
	b = fmt.Appendf(b, `,"category":"c%02d","title":"entity number %d","text":"`, e.category, i)
	text := len(b)
	b = append(b, `","_acl":{"creator":"`...)
	b = append(append(b, names[e.creator]...), '"')
	if len(e.readers) > 0 {
		b = append(b, `,"r":[`...)
		for k, u := range e.readers {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), names[u]...), '"')
		}
		b = append(b, ']')
	}
	if len(e.groups) > 0 {
		b = append(b, `,"groups":{"r":[`...)
		for k, g := range e.groups {
			if k > 0 {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `"group-%04d"`, g)
		}
		b = append(b, `]}`...)
	}
	if e.gr != "" {
		b = append(append(b, `,"gr":`...), e.gr...)
	}
	at := epoch.Add(time.Duration(i) * time.Millisecond)
	b = append(b, `},"_kmd":{"lmt":"`...)
	b = at.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `","ect":"`...)
	b = at.AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(b, `"}}`...)
	// The text makes them all about as long.
	room := max(bytesOf-(len(b)-began), 8)
	from := i % (len(filler) / 2)
	return slices.Insert(b, text, []byte(filler[from:min(from+room, len(filler))])...)
}

// grants counts who may read the entity: principals, each once.
func (e *item) grants() int {
	n := len(e.readers) + len(e.groups)
	if !slices.Contains(e.readers, e.creator) {
		n++
	}
	if e.gr == "true" {
		n++
	}
	return n
}
