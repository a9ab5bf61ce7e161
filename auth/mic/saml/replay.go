package saml

import (
	"sync"
	"time"
)

// maxSeen bounds the assertions remembered.
const maxSeen = 1 << 16

// seen remembers assertions until they expire (R8). When it is full the one seen
// first is forgotten: by then the caller has long forgotten the login it was for,
// and refuses its state.
type seen struct {
	mu    sync.Mutex // guards below
	ids   map[string]struct{}
	order []entry // oldest first
	most  int
}

type entry struct {
	id    string
	until time.Time
}

// first says whether an assertion is new, and remembers it.
func (s *seen) first(id string, until, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.ids[id]; again {
		return false
	}
	for len(s.order) > 0 && (len(s.order) >= s.most || !now.Before(s.order[0].until)) {
		delete(s.ids, s.order[0].id)
		s.order[0] = entry{}
		s.order = s.order[1:]
	}
	s.ids[id] = struct{}{}
	s.order = append(s.order, entry{id, until})
	return true
}
