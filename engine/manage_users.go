package engine

import (
	"bytes"
	"sort"
	"strings"

	"github.com/tidwall/btree"
	"github.com/valyala/fasthttp"

	"postern/engine/query"
)

// Lists of an app for its managers: pages of what the state holds in order, each
// with how many there are in all.

// window reads which page of a list is wanted.
func (r *Request) window() (query.Page, error) {
	args := r.ctx.QueryArgs()
	skip, err := natural("skip", args.Peek("skip"))
	if err != nil {
		return query.Page{}, err
	}
	limit, err := natural("limit", args.Peek("limit"))
	if limit == 0 || limit > maxResults {
		limit = maxResults
	}
	return query.Page{Skip: skip, Limit: limit}, err
}

// cut cuts a page out of the places from from to before to.
func cut(page query.Page, from, to int) (int, int) {
	from = min(from+page.Skip, to)
	return from, min(from+page.Limit, to)
}

// answerPage answers with a page of a list and how many there are in all.
func (r *Request) answerPage(count int, list [][]byte) error {
	return r.json(fasthttp.StatusOK, new(jsonObject).number("count", int64(count)).raw("list", string(jsonList(list))).close())
}

// beginning returns where in m the keys with a prefix are.
func beginning[V any](m *btree.Map[string, V], prefix string) (from, to int) {
	from = sort.Search(m.Len(), func(i int) bool {
		key, _, _ := m.GetAt(i)
		return key >= prefix
	})
	to = from + sort.Search(m.Len()-from, func(i int) bool {
		key, _, _ := m.GetAt(from + i)
		return !strings.HasPrefix(key, prefix)
	})
	return from, to
}

// manageUsers answers ?prefix=&skip=&limit=: the users in the order of their
// names, the suspended ones too.
func (e *Engine) manageUsers(r *Request) error {
	page, err := r.window()
	if err != nil {
		return err
	}
	from, to := beginning(r.view.names, string(r.ctx.QueryArgs().Peek("prefix")))
	var list [][]byte
	for i, end := cut(page, from, to); i < end; i++ {
		_, id, _ := r.view.names.GetAt(i)
		list = append(list, r.view.describeUser(id, r.start))
	}
	return r.answerPage(to-from, list)
}

func (s *appState) describeUser(id string, now int64) []byte {
	a, _ := s.accounts.Get(id)
	o := new(jsonObject).text("_id", id).text("username", a.Username)
	if ent, ok := s.user(id); ok {
		if address := emailOf(ent); address != "" {
			o.text("email", address)
		}
		o.time("created", ent.ect)
	}
	who, _ := s.subject(id)
	return o.time("lastLogin", a.LastLogin).flag("suspended", a.Suspended != 0).flag("locked", a.Locked != 0).
		number("sessions", int64(s.liveSessions(id, now))).number("groups", int64(len(who.Member.IDs()))).close()
}

// liveSessions counts the sessions of a user that are good now.
func (s *appState) liveSessions(user string, now int64) (n int) {
	s.sessionsOf(user, func(one *session) bool {
		if s.live(one, now) {
			n++
		}
		return true
	})
	return n
}

const maxNames = 500

// nameUsers answers ?ids=a,b,c with the names of those who are there.
func (e *Engine) nameUsers(r *Request) error {
	ids := bytes.Split(r.ctx.QueryArgs().Peek("ids"), []byte{','})
	if len(ids) > maxNames {
		return fault(errOutOfRange, "ids are at most %d", maxNames)
	}
	o := &jsonObject{b: []byte{'{'}}
	seen := map[string]bool{}
	for _, b := range ids {
		id := string(b)
		a, ok := r.view.accounts.Get(id)
		if !ok || seen[id] {
			continue
		}
		if seen[id] = true; len(seen) == 1 {
			o.b = nil
		}
		o.text(id, a.Username)
	}
	return r.json(fasthttp.StatusOK, o.close())
}
