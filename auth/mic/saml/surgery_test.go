package saml

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/beevik/etree"

	"postern/auth/mic"
)

// operate cuts a response up and sews it together again, three bytes an
// operation. It makes well-formed XML, which a fuzzer of bytes seldom does, and so
// every kind of wrapping that somebody may yet think of.
func operate(root *etree.Element, operations []byte) {
	values := []string{"_assertion", "_response", "_evil", "#_assertion", "#_response", "admin", theACS, "_request", theIDP, FormatPersistent, ""}
	for ; len(operations) >= 3; operations = operations[3:] {
		all := append(root.FindElements("//*"), root)
		if len(all) > 2000 {
			return // copies of copies
		}
		a, b := all[int(operations[1])%len(all)], all[int(operations[2])%len(all)]
		switch operations[0] % 9 {
		case 0:
			b.AddChild(a.Copy())
		case 1:
			if b.Parent() != nil && b != root {
				b.Parent().InsertChildAt(b.Index(), a.Copy())
			}
		case 2:
			inside := false
			for p := b; p != nil; p = p.Parent() {
				inside = inside || p == a
			}
			if !inside && a != root {
				a.Parent().RemoveChild(a)
				b.AddChild(a)
			}
		case 3:
			if a != root {
				a.Parent().RemoveChild(a)
			}
		case 4:
			a.SetText("admin")
		case 5:
			if len(a.Attr) > 0 {
				a.Attr[int(operations[2])%len(a.Attr)].Value = values[int(operations[2])/4%len(values)]
			}
		case 6:
			if len(a.Attr) > 0 {
				i := int(operations[2]) % len(a.Attr)
				a.Attr = append(a.Attr[:i:i], a.Attr[i+1:]...)
			}
		case 7:
			a.Space, a.Tag = b.Space, b.Tag
		case 8:
			t := a.Text()
			a.SetText(b.Text())
			b.SetText(t)
		}
	}
}

// A theatre is where it is done: three good responses, and what they mean.
type theatre struct {
	*lab
	good [3]string
	want *mic.Account
}

func newTheatre(t testing.TB) *theatre {
	l := newLab(t, func(c *Config) { c.GroupsAttribute = "groups" })
	l.begin, l.id = []byte(`{"id":"_request"}`), "_request"
	one := signed(t, l.forged())
	x := &theatre{lab: l, good: [3]string{one, signer{}.sign(t, l.forged().String(), onResponse), signer{}.sign(t, one, onResponse)}}
	var err error
	if x.want, err = l.finish(t, one); err != nil {
		t.Fatal(err)
	}
	return x
}

// try says whether what has become of a response was taken, and fails if it then
// means something else.
func (x *theatre) try(t *testing.T, which byte, operations []byte) bool {
	doc := etree.NewDocument()
	if err := doc.ReadFromString(x.good[which%3]); err != nil {
		t.Fatal(err)
	}
	operate(doc.Root(), operations)
	text, err := doc.WriteToString()
	if err != nil || len(text) > 1<<20 {
		return false
	}
	x.Provider.seen = seen{ids: map[string]struct{}{}, most: maxSeen}
	got, err := x.finish(t, text)
	if err == nil && !reflect.DeepEqual(got, x.want) {
		t.Fatalf("Finish = %+v; want %+v or an error\noperations %d %x\n%s", got, x.want, which%3, operations, text)
	}
	return err == nil
}

func TestSurgery(t *testing.T) {
	x := newTheatre(t)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	cases := 5000
	if testing.Short() {
		cases = 500
	}
	taken := 0
	for range cases {
		operations := make([]byte, 3*(1+r.IntN(6)))
		for i := range operations {
			operations[i] = byte(r.Uint32())
		}
		if x.try(t, byte(r.Uint32()), operations) {
			taken++
		}
	}
	for which := range byte(3) {
		if !x.try(t, which, nil) {
			t.Errorf("the response %d is refused as it is", which)
		}
	}
	t.Logf("figure: %d responses cut up, %d taken for what they were, none for something else (seed %d)", cases, taken, seed)
}

func FuzzSurgery(f *testing.F) {
	x := newTheatre(f)
	for which := range byte(3) {
		f.Add(which, []byte{})
		f.Add(which, []byte{1, 9, 9, 4, 12, 0})
		f.Add(which, []byte{2, 9, 3, 5, 8, 8, 0, 1, 2})
	}
	f.Fuzz(func(t *testing.T, which byte, operations []byte) {
		x.try(t, which, operations[:min(len(operations), 60)])
	})
}
