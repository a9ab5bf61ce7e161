package engine

import (
	"github.com/valyala/fasthttp"

	"postern/auth"
	"postern/engine/document"
	"postern/engine/query"
)

// Discovery (R13): what everybody may know of every active user, whatever the
// level of the user collection or an ACL says.

// publicFields are the members that _lookup knows and shows.
var publicFields = []string{"_id", "username", "email", "first_name", "last_name"}

// maxLookup bounds the answer of a _lookup.
const maxLookup = 1000

func (e *Engine) lookup(r *Request) error {
	v, err := r.body(document.Query)
	if err != nil {
		return err
	}
	fields := publicFields
	var f *query.Filter
	switch {
	case v.Kind() == document.Missing || v.Kind() == document.Object && v.Len() == 0:
		fields = publicFields[:2]
	case v.Kind() != document.Object:
		return fault(errJSON, "the body must be a JSON object")
	default:
		if err := onlyPublic(v); err != nil {
			return err
		}
		if f, err = query.ParseFilter(v.Raw()); err != nil {
			return err
		}
	}
	out := &r.ctx.Response
	r.ctx.SetStatusCode(fasthttp.StatusOK)
	out.AppendBodyString("[")
	n := 0
	meter := r.meter()
	show := func(ent *entity) bool {
		if !r.view.active(ent.id) {
			return true
		}
		doc := documentOf(ent)
		matched, failed := meter.Match(f, doc)
		if err = failed; err != nil || !matched {
			return err == nil
		}
		if n > 0 {
			out.AppendBodyString(",")
		}
		n++
		out.AppendBody(publicForm(nil, doc, fields))
		return n < maxLookup
	}
	c := r.view.collection("user")
	if name := v.Get("username"); v.Len() == 1 && name.Kind() == document.String {
		if id, ok := r.view.names.Get(name.Text()); ok {
			if ent, ok := c.rows.get(id); ok {
				show(ent)
			}
		}
	} else {
		c.rows.scan(show)
	}
	if err != nil {
		return err
	}
	out.AppendBodyString("]")
	return nil
}

// publicForm appends the public members of a user that are set.
func publicForm(dst []byte, doc document.Value, fields []string) []byte {
	open := byte('{')
	for _, name := range fields {
		v := doc.Get(name)
		if v.Kind() == document.Missing {
			continue
		}
		dst = append(dst, open)
		dst = document.AppendQuote(dst, name)
		dst = append(append(dst, ':'), v.Raw()...)
		open = ','
	}
	return append(dst, '}')
}

// onlyPublic refuses a filter that asks for anything else, so that a filter is
// no oracle for what is private.
func onlyPublic(filter document.Value) error {
	for key, v := range filter.Members() {
		name := key.Text()
		if name == "$and" || name == "$or" || name == "$nor" {
			for e := range v.Elements() {
				if err := onlyPublic(e); err != nil {
					return err
				}
			}
			continue
		}
		public := false
		for _, f := range publicFields {
			public = public || f == name
		}
		if !public {
			return fault(errQuerySyntax, "_lookup filters on %v only", publicFields)
		}
	}
	return nil
}

func (e *Engine) usernameExists(r *Request) error {
	if err := r.limit(auth.Exists); err != nil {
		return err
	}
	doc, err := r.object()
	if err != nil {
		return err
	}
	name := doc.Get("username")
	if name.Kind() != document.String {
		return fault(errMissingParameter, "username must be a string")
	}
	body := `{"usernameExists":false}`
	if _, taken := r.view.names.Get(name.Text()); taken {
		body = `{"usernameExists":true}`
	}
	return r.json(fasthttp.StatusOK, []byte(body))
}
