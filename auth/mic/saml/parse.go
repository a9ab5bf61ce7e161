package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Namespaces of what is read here.
const (
	nsProtocol  = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata  = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature = "http://www.w3.org/2000/09/xmldsig#"
)

// limits bound a document before a tree is made of it.
type limits struct {
	bytes, elements, depth int
	attributes             int // of one element
	comments               bool
}

var (
	// The signature library walks 1000 elements at most.
	responseLimits = limits{bytes: 160 << 10, elements: 900, depth: 24, attributes: 32}
	// Metadata is the administrator's, and written by hand at times.
	metadataLimits = limits{bytes: 1 << 20, elements: 20000, depth: 24, attributes: 32, comments: true}
)

var (
	declaration = regexp.MustCompile(`^<\?xml version=["']1\.0["']( encoding=["'](?i:utf-8)["'])?( standalone=["'](?:yes|no)["'])?[ \t\r\n]*\?>`)
	namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	idPattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,255}$`)
)

// parse makes a tree of a document that is plain enough to mean the same to
// everybody (R1). What is not is refused before a parser with opinions sees it.
func parse(raw []byte, l limits) (*etree.Element, error) {
	raw = bytes.Trim(raw, " \t\r\n")
	switch {
	case len(raw) > l.bytes:
		return nil, fmt.Errorf("more than %d bytes", l.bytes)
	case !utf8.Valid(raw):
		return nil, errors.New("not UTF-8")
	case len(raw) == 0 || raw[0] != '<':
		return nil, errors.New("not XML")
	}
	body := raw[len(declaration.Find(raw)):]
	if bytes.Contains(body, []byte("<?")) {
		return nil, errors.New("a processing instruction, or another XML declaration than that of UTF-8")
	}
	// A < in XML begins markup and is nothing else, so this finds every document
	// type, entity, CDATA section and comment.
	marks := body
	if l.comments {
		marks = bytes.ReplaceAll(body, []byte("<!--"), nil)
	}
	if bytes.Contains(marks, []byte("<!")) {
		return nil, errors.New("a document type, an entity, CDATA or a comment")
	}
	if err := scan(body, l); err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(body); err != nil {
		return nil, errors.New("not well-formed XML")
	}
	root := doc.Root()
	if root == nil {
		return nil, errors.New("no element")
	}
	return root, names(root, map[string]bool{}, !l.comments)
}

// scan walks the tokens of a document: one tree, within bounds, no attribute
// twice.
func scan(body []byte, l limits) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	elements, depth := 0, 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			if elements == 0 {
				return errors.New("no element")
			}
			return nil
		}
		if err != nil {
			return errors.New("not well-formed XML")
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth == 0 && elements > 0 {
				return errors.New("more than one document")
			}
			elements++
			depth++
			if elements > l.elements || depth > l.depth || len(t.Attr) > l.attributes {
				return errors.New("too many elements or attributes, or too deep")
			}
			seen := make(map[xml.Name]bool, len(t.Attr))
			for _, a := range t.Attr {
				if seen[a.Name] {
					return errors.New("an attribute twice")
				}
				seen[a.Name] = true
			}
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && len(bytes.Trim(t, " \t\r\n")) > 0 {
				return errors.New("text outside of the document")
			}
		}
	}
}

// names checks the names in a tree: they are plain (encoding/xml takes colons at
// either end, and reads another name when it has written them), prefixes are
// declared, every element has a namespace, and, if ids is set, each ID is there
// once and cannot be taken for another attribute.
func names(el *etree.Element, seen map[string]bool, ids bool) error {
	if !plain(el.Space, el.Tag) {
		return errors.New("a name that is none")
	}
	if el.NamespaceURI() == "" {
		return errors.New("an element without a namespace, or with an undeclared prefix")
	}
	for i := range el.Attr {
		a := &el.Attr[i]
		switch {
		case !plain(a.Space, a.Key):
			return errors.New("a name that is none")
		case a.Space == "xmlns" && (a.Key == "xml" || a.Key == "xmlns" || a.Value == ""):
			return errors.New("a reserved or an empty namespace")
		case a.Space == "xmlns":
		case a.Space != "" && a.Space != "xml" && a.NamespaceURI() == "":
			return errors.New("an undeclared prefix")
		case ids && strings.EqualFold(a.Key, "ID"):
			if a.Space != "" || !idPattern.MatchString(a.Value) {
				return errors.New("an ID that is none")
			}
			if seen[a.Value] {
				return errors.New("two elements with one ID")
			}
			seen[a.Value] = true
		}
	}
	for _, child := range el.ChildElements() {
		if err := names(child, seen, ids); err != nil {
			return err
		}
	}
	return nil
}

func plain(prefix, name string) bool {
	return (prefix == "" || namePattern.MatchString(prefix)) && namePattern.MatchString(name)
}

// is says whether an element is the one of a name.
func is(el *etree.Element, ns, tag string) bool {
	return el.Tag == tag && el.NamespaceURI() == ns
}

// children are the children of a name.
func children(el *etree.Element, ns, tag string) []*etree.Element {
	var found []*etree.Element
	for _, child := range el.ChildElements() {
		if is(child, ns, tag) {
			found = append(found, child)
		}
	}
	return found
}

// only is the one child of a name.
func only(el *etree.Element, ns, tag string) (*etree.Element, error) {
	found := children(el, ns, tag)
	if len(found) != 1 {
		return nil, fmt.Errorf("%d %s in %s where one is needed", len(found), tag, el.Tag)
	}
	return found[0], nil
}

// attribute is the value of an attribute without a prefix; "" if there is none.
// (etree's own search takes any prefix.)
func attribute(el *etree.Element, key string) string {
	for i := range el.Attr {
		if el.Attr[i].Space == "" && el.Attr[i].Key == key {
			return el.Attr[i].Value
		}
	}
	return ""
}

// text is the text of an element that has nothing else in it, without the space
// around it.
func text(el *etree.Element) (string, error) {
	var b strings.Builder
	for _, child := range el.Child {
		switch t := child.(type) {
		case *etree.CharData:
			b.WriteString(t.Data)
		case *etree.Comment: // in metadata only
		default:
			return "", fmt.Errorf("%s has more than text in it", el.Tag)
		}
	}
	return strings.Trim(b.String(), " \t\r\n"), nil
}
