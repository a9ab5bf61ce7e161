package engine

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"postern/acl"
	"postern/engine/store"
)

// Whose groups were changed when: a delta set is refused to whom something
// became readable or unreadable without any entity having been changed (D2).
// Each change of a group leaves a row that names whom it concerned and nobody
// else, for as long as some collection of the app remembers changes.

const (
	maxRegroupBytes = 96 << 10 // of one row; beyond, it concerns everybody
	maxRegroups     = 4096     // rows of an app; beyond, the oldest ones become one
)

// regroupRow says whose groups a change of a group has changed.
type regroupRow struct {
	At    int64    `json:"at"`              // Unix ms
	All   bool     `json:"all,omitempty"`   // everybody's
	Users []string `json:"users,omitempty"` // sorted
}

func (s *appState) applyRegrouped(key string, value []byte) error {
	return applyTo(s.regrouped, key, value)
}

// regroupedSince reports whether the user is in other groups than at some
// moment after since.
func (s *appState) regroupedSince(user string, since int64) bool {
	found := false
	s.regrouped.Reverse(func(_ string, row *regroupRow) bool {
		if row.At <= since {
			return false
		}
		_, named := slices.BinarySearch(row.Users, user)
		found = row.All || named
		return !found
	})
	return found
}

// regroupOps are the rows that go with a change of a group; after is nil when
// it is removed.
func (d *draft) regroupOps(a *app, old, after *entity) []store.Op {
	s := d.state(a)
	if !s.remembers() {
		return nil
	}
	was, wasAll := s.members(old)
	is, isAll := s.members(after)
	row := regroupRow{At: d.now, All: wasAll != isAll}
	if !row.All && !isAll {
		for u := range was {
			if !is[u] {
				row.Users = append(row.Users, u)
			}
		}
		for u := range is {
			if !was[u] {
				row.Users = append(row.Users, u)
			}
		}
		slices.Sort(row.Users)
	}
	if !row.All && len(row.Users) == 0 {
		return nil
	}
	value := encodeRow(&row)
	if len(value) > maxRegroupBytes {
		value = encodeRow(&regroupRow{At: d.now, All: true})
	}
	id := binary.BigEndian.AppendUint64(nil, uint64(d.seq))
	id = binary.BigEndian.AppendUint32(id, uint32(d.before+len(d.ops)))
	return append(s.mergeRegroups(a), store.Op{Key: regroupKey(a, string(id)), Value: value, Quiet: true})
}

// mergeRegroups makes room: the two oldest rows become one that concerns
// everybody.
func (s *appState) mergeRegroups(a *app) []store.Op {
	if s.regrouped.Len() < maxRegroups {
		return nil
	}
	var ops []store.Op
	s.regrouped.Scan(func(id string, row *regroupRow) bool {
		if len(ops) == 0 {
			ops = append(ops, store.Op{Key: regroupKey(a, id), Quiet: true})
			return true
		}
		ops = append(ops, store.Op{Key: regroupKey(a, id), Value: encodeRow(&regroupRow{At: row.At, All: true}), Quiet: true})
		return false
	})
	return ops
}

func regroupKey(a *app, id string) store.Key {
	return store.Key{App: a.number, Table: tableRegrouped, ID: id}
}

// members returns who is in a group by its entity, through the groups in it as
// they are in this state. nil is a group without members.
func (s *appState) members(group *entity) (users map[string]bool, all bool) {
	users = map[string]bool{}
	if group == nil {
		return users, false
	}
	groups := s.collection("group")
	seen := map[string]bool{group.id: true}
	for queue := []*entity{group}; len(queue) > 0; queue = queue[1:] {
		def, err := acl.ParseGroup(queue[0].body())
		if err != nil {
			continue // it would not be stored
		}
		all = all || def.All
		for _, u := range def.Users {
			users[u] = true
		}
		for _, g := range def.Groups {
			if nested, ok := groups.rows.get(g); ok && !seen[g] {
				seen[g] = true
				queue = append(queue, nested)
			}
		}
	}
	return users, all
}

// differRegrouped compares with a loaded state.
func (s *appState) differRegrouped(l *appState) bool {
	text := func(s *appState) string {
		b, _ := json.Marshal(s.regrouped.Values())
		return string(b)
	}
	return text(s) != text(l)
}
