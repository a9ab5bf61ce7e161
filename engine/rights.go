package engine

import (
	"postern/acl"
	"postern/engine/document"
)

// A reader may ask (rights=true) what he may do with what he is shown, for the
// buttons of his app: each entity has then {"r":...,"w":...,"acl":...} as rights
// in its _kmd, of which nothing is taken when it is sent back. They are Decide's
// answers at the moment of the answer, and no promise: the commit decides again.

func (r *Request) wantsRights() bool { return string(r.ctx.QueryArgs().Peek("rights")) == "true" }

// appendRights appends shown, which is an entity as it is to be shown, with the
// requester's rights.
func (r *Request) appendRights(dst []byte, level acl.Level, grants *acl.ACL, shown document.Value) []byte {
	may := func(right acl.Right) bool { return acl.Decide(r.subject, level, grants, right).Allowed }
	rights := new(jsonObject).flag("r", may(acl.Read)).flag("w", may(acl.Write)).flag("acl", may(acl.ChangeACL)).close()
	there, open := false, len(dst)
	dst = append(dst, '{')
	for key, v := range shown.Members() {
		if len(dst) > open+1 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, key.Raw()...), ':')
		if !key.TextIs("_kmd") || v.Kind() != document.Object {
			dst = append(dst, v.Raw()...)
			continue
		}
		there = true
		dst = append(dst, v.Raw()[:len(v.Raw())-1]...)
		if v.Len() > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `"rights":`...), rights...), '}')
	}
	if !there {
		if len(dst) > open+1 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, `"_kmd":{"rights":`...), rights...), '}')
	}
	return append(dst, '}')
}
