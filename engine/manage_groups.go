package engine

import (
	"strings"

	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

// memberWork is what looking a member up counts for, see query.Meter.Work.
const memberWork = 1 << 10

// effective are the users that a group holds, itself or in groups that it holds. All
// of them, or those of users who are there.
func (r *Request) effective(id string) (all bool, users []string, err error) {
	all, named := r.view.groups.Members(id)
	for _, user := range named {
		if _, ok := r.view.accounts.Get(user); ok {
			users = append(users, user)
		}
		if err := r.meters.Work(memberWork); err != nil {
			return false, nil, err
		}
	}
	return all, users, nil
}

// usedBy is how many entities name a group.
func (s *appState) usedBy(id string) (n int) {
	s.collections.Scan(func(_ string, c *collection) bool {
		if c.number != groupCollection {
			k, _ := c.groupRefs.Get(id)
			n += k
		}
		return true
	})
	return n
}

// manageGroups answers ?prefix=&skip=&limit=: the groups in the order of their ids.
func (e *Engine) manageGroups(r *Request) error {
	page, err := r.window()
	if err != nil {
		return err
	}
	r.meter()
	prefix, count := string(r.ctx.QueryArgs().Peek("prefix")), 0
	var list [][]byte
	for id, def := range r.view.groups.All() {
		if !strings.HasPrefix(id, prefix) {
			continue
		}
		if count++; count <= page.Skip || len(list) == page.Limit {
			continue
		}
		all, users, err := r.effective(id)
		if err != nil {
			return err
		}
		members := len(users)
		if all {
			members = r.view.accounts.Len()
		}
		list = append(list, new(jsonObject).text("_id", id).number("members", int64(members)).flag("everyone", def.All).
			number("users", int64(len(distinct(def.Users)))).texts("groups", inside(def)).number("usedBy", int64(r.view.usedBy(id))).close())
	}
	return r.answerPage(count, list)
}

// manageGroup answers with a group, and with a page (?skip=&limit=) of the users that
// it holds in effect, each with the way to him.
func (e *Engine) manageGroup(r *Request) error {
	page, err := r.window()
	if err != nil {
		return err
	}
	id := r.param(0)
	ent, ok := r.view.collection("group").rows.get(id)
	if !ok {
		return errEntityNotFound
	}
	r.meter()
	all, users, err := r.effective(id)
	if err != nil {
		return err
	}
	count := len(users)
	if all {
		count = r.view.accounts.Len()
	}
	var list [][]byte
	for i, end := cut(page, 0, count); i < end; i++ {
		var user string
		if all {
			user, _, _ = r.view.accounts.GetAt(i)
		} else {
			user = users[i]
		}
		a, _ := r.view.accounts.Get(user)
		who, _ := r.view.subject(user)
		list = append(list, new(jsonObject).text("_id", user).text("username", a.Username).texts("path", who.Member.Path(id)).close())
	}
	var parents []string
	for parent := range r.view.groups.Parents(id) {
		parents = append(parents, parent)
	}
	o := new(jsonObject)
	for key, v := range document.Trusted(ent.body()).Members() {
		if name := key.Text(); name != "effective" && name != "parents" && name != "usedBy" {
			o.raw(name, string(v.Raw()))
		}
	}
	o.raw("effective", string(new(jsonObject).number("count", int64(count)).raw("list", string(jsonList(list))).close()))
	return r.json(fasthttp.StatusOK, o.texts("parents", parents).number("usedBy", int64(r.view.usedBy(id))).close())
}
