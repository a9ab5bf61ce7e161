package saml

import (
	"testing"

	"github.com/beevik/etree"
)

// Signature wrapping: what was signed is kept somewhere in the document, where the
// signature finds it, and something else is put where it is read. These are the
// eight forms that are known by number (On Breaking SAML, 2012; XSW1 to XSW8), and
// some more.
var wrappings = []struct {
	name, reason string
	signed       string // what the provider has signed
	wrap         func(x *wrapping)
}{
	{"XSW1 the signed response in the signature of an evil one", "an assertion at a wrong place", onResponse, func(x *wrapping) {
		x.evil(x.response)
		x.signature.AddChild(x.original)
	}},
	{"XSW2 the signed response beside its signature in an evil one", "an assertion at a wrong place", onResponse, func(x *wrapping) {
		x.evil(x.response)
		x.response.InsertChildAt(x.signature.Index(), x.original)
	}},
	{"XSW3 an evil assertion in front of the signed one", "more than one assertion", onAssertion, func(x *wrapping) {
		x.response.InsertChildAt(x.assertion.Index(), x.evilCopy())
	}},
	{"XSW4 the signed assertion in an evil one", "an assertion at a wrong place", onAssertion, func(x *wrapping) {
		evil := x.evilCopy()
		at := x.assertion.Index()
		x.response.RemoveChild(x.assertion)
		evil.AddChild(x.assertion)
		x.response.InsertChildAt(at, evil)
	}},
	{"XSW5 the signature in an evil assertion, the signed one behind", "more than one assertion", onAssertion, func(x *wrapping) {
		x.evil(x.assertion)
		x.response.AddChild(x.original)
	}},
	{"XSW6 the signed assertion in the signature of an evil one", "an assertion at a wrong place", onAssertion, func(x *wrapping) {
		x.evil(x.assertion)
		x.signature.AddChild(x.original)
	}},
	{"XSW7 an evil assertion in Extensions", "an assertion at a wrong place", onAssertion, func(x *wrapping) {
		extensions := etree.NewElement("p:Extensions")
		extensions.AddChild(x.evilCopy())
		x.response.InsertChildAt(x.assertion.Index(), extensions)
	}},
	{"XSW8 the signed assertion in an Object of the signature", "an assertion at a wrong place", onAssertion, func(x *wrapping) {
		x.evil(x.assertion)
		object := x.signature.CreateElement("ds:Object")
		object.AddChild(x.original)
	}},
	{"evil with the ID of the signed one", "two elements with one ID", onAssertion, func(x *wrapping) {
		x.response.InsertChildAt(x.assertion.Index(), x.copy(""))
	}},
	{"evil without an ID", "more than one assertion", onAssertion, func(x *wrapping) {
		evil := x.evilCopy()
		evil.RemoveAttr("ID")
		x.response.InsertChildAt(x.assertion.Index(), evil)
	}},
	{"the signed assertion in the Subject of an evil one", "an assertion at a wrong place", onAssertion, func(x *wrapping) {
		x.evil(x.assertion)
		x.assertion.SelectElement("Subject").AddChild(x.original)
	}},
	{"the signed assertion in Advice", "an assertion at a wrong place", onAssertion, func(x *wrapping) {
		x.evil(x.assertion)
		x.assertion.CreateElement("a:Advice").AddChild(x.original)
	}},
	{"the signature of the assertion beside it", "the signature is of another element", onAssertion, func(x *wrapping) {
		x.assertion.RemoveChild(x.signature)
		x.response.InsertChildAt(x.assertion.Index(), x.signature)
	}},
	{"a signed response in an evil one, assertion and all", "a signature at a wrong place", onResponse, func(x *wrapping) {
		signed := x.response.Copy()
		x.evil(x.response)
		x.response.RemoveChild(x.signature)
		x.response.AddChild(signed)
	}},
	{"a signed response as an Extension", "a signature at a wrong place", onResponse, func(x *wrapping) {
		signed := x.response.Copy()
		x.evil(x.response)
		x.response.RemoveChild(x.signature)
		x.response.CreateElement("p:Extensions").AddChild(signed)
	}},
	{"an evil assertion without a signature in a response whose signature is the assertion's", "the signature is of another element", onAssertion, func(x *wrapping) {
		x.evil(x.assertion)
		x.assertion.RemoveChild(x.signature)
		x.response.AddChild(x.signature)
	}},
}

type wrapping struct {
	response, assertion, signature *etree.Element
	original                       *etree.Element // what was signed, as it was hashed: without the signature
}

// evil makes an element say something else, under another ID.
func (x *wrapping) evil(el *etree.Element) {
	el.FindElement(".//NameID").SetText("admin")
	el.CreateAttr("ID", "_evil")
	if a := el.SelectElement("Assertion"); a != nil {
		a.CreateAttr("ID", "_evil-assertion")
	}
}

func (x *wrapping) copy(id string) *etree.Element {
	c := x.assertion.Copy()
	x.evil(c)
	if id == "" {
		id = x.assertion.SelectAttrValue("ID", "")
	}
	c.CreateAttr("ID", id)
	if s := c.SelectElement("Signature"); s != nil {
		c.RemoveChild(s)
	}
	return c
}

func (x *wrapping) evilCopy() *etree.Element { return x.copy("_evil") }

func TestSignatureWrapping(t *testing.T) {
	for _, w := range wrappings {
		t.Run(w.name, func(t *testing.T) {
			l := newLab(t, nil).start(t)
			doc := etree.NewDocument()
			if err := doc.ReadFromString(signer{}.sign(t, l.forged().String(), w.signed)); err != nil {
				t.Fatal(err)
			}
			x := &wrapping{response: doc.Root(), assertion: doc.FindElement(onAssertion)}
			of := doc.FindElement(w.signed)
			x.signature = of.SelectElement("Signature")
			x.original = of.Copy()
			x.original.RemoveChild(x.original.SelectElement("Signature"))
			w.wrap(x)
			text, err := doc.WriteToString()
			if err != nil {
				t.Fatal(err)
			}
			l.refuses(t, text, w.reason)
		})
	}
	t.Logf("figure: %d wrappings refused", len(wrappings))
}
