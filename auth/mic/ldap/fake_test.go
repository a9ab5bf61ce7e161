package ldap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"
)

// A fake is a server for what a real one cannot be made to do. It keeps no
// directory: each test says what is answered. What real servers do is tested
// against real ones, in the e2e tests.
type fake struct {
	t      *testing.T
	url    string
	socket net.Listener
	tls    *tls.Config // from the first byte
	start  *tls.Config // after StartTLS
	answer func(r request) []*ber.Packet

	mu    sync.Mutex // guards below
	seen  []request
	conns []net.Conn
	ended sync.WaitGroup
}

// A request is what a client has asked, in the words of the tests.
type request struct {
	conn     int // counted from 0
	id       int64
	op       ber.Tag
	as       string // who is bound on the connection
	name     string // of a bind; the base of a search; of an extended operation
	password string
	scope    int64
	limit    int64
	filter   string
}

// newFake starts a fake. With settings it speaks TLS from the first byte.
func newFake(t *testing.T, settings *tls.Config, answer func(r request) []*ber.Packet) *fake {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, url: "ldap://" + l.Addr().String(), socket: l, tls: settings, answer: answer}
	if settings != nil {
		f.url = "ldaps://" + l.Addr().String()
	}
	f.ended.Go(func() {
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			f.ended.Go(func() { f.serve(n, c) })
		}
	})
	t.Cleanup(f.close)
	return f
}

func (f *fake) close() {
	_ = f.socket.Close()
	f.hangUp()
	f.ended.Wait()
}

// hangUp ends all connections.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
}

// requests returns those of a kind.
func (f *fake) requests(op ber.Tag) (of []request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.seen {
		if r.op == op {
			of = append(of, r)
		}
	}
	return of
}

func (f *fake) connections() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.conns)
}

func (f *fake) serve(n int, c net.Conn) {
	defer c.Close()
	if f.tls != nil {
		c = tls.Server(c, f.tls)
	}
	as := ""
	for {
		p, err := ber.ReadPacket(c)
		if err != nil || len(p.Children) < 2 {
			return
		}
		r := request{conn: n, id: p.Children[0].Value.(int64), op: p.Children[1].Tag, as: as}
		switch op := p.Children[1]; r.op {
		case goldap.ApplicationBindRequest:
			r.name, r.password = op.Children[1].Value.(string), op.Children[2].Data.String()
		case goldap.ApplicationSearchRequest:
			r.name, r.scope, r.limit = op.Children[0].Value.(string), op.Children[1].Value.(int64), op.Children[3].Value.(int64)
			r.filter, _ = goldap.DecompileFilter(op.Children[6])
		case goldap.ApplicationExtendedRequest:
			r.name = op.Children[0].Data.String()
		}
		f.mu.Lock()
		f.seen = append(f.seen, r)
		f.mu.Unlock()
		for _, a := range f.answer(r) {
			if a.Tag == goldap.ApplicationBindResponse && len(a.Children) > 0 && a.Children[0].Value.(int64) == 0 {
				as = r.name
			}
			out := ber.NewSequence("")
			out.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, r.id, ""))
			out.AppendChild(a)
			if _, err := c.Write(out.Bytes()); err != nil {
				return
			}
			if r.op == goldap.ApplicationExtendedRequest && a.Children[0].Value.(int64) == 0 {
				c = tls.Server(c, f.start)
			}
		}
	}
}

// result is the end of an answer.
func result(op ber.Tag, code int64, message string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, ""))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, message, ""))
	return p
}

func bound(code int64, message string) []*ber.Packet {
	return []*ber.Packet{result(goldap.ApplicationBindResponse, code, message)}
}

// entries is an answer to a search.
func entries(all ...*ber.Packet) []*ber.Packet {
	return append(all, result(goldap.ApplicationSearchResultDone, 0, ""))
}

// entry is an entry: "name", "value", ...; a name again is another value.
func entry(dn string, namesAndValues ...string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultEntry, nil, "")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, dn, ""))
	list := ber.NewSequence("")
	var names []string
	for i := 0; i < len(namesAndValues); i += 2 {
		if !slices.Contains(names, namesAndValues[i]) {
			names = append(names, namesAndValues[i])
		}
	}
	for _, name := range names {
		a := ber.NewSequence("")
		a.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, ""))
		values := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "")
		for i := 0; i < len(namesAndValues); i += 2 {
			if namesAndValues[i] == name {
				values.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, namesAndValues[i+1], ""))
			}
		}
		a.AppendChild(values)
		list.AppendChild(a)
	}
	p.AppendChild(list)
	return p
}

// elsewhere is a reference to another server among the entries of a search.
func elsewhere(url string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationSearchResultReference, nil, "")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, url, ""))
	return p
}

// Everybody's names in these tests.
const (
	svc    = "cn=svc,dc=example,dc=org"
	people = "ou=people,dc=example,dc=org"
	alice  = "uid=alice,ou=people,dc=example,dc=org"
	right  = "al1ce's password"
)

// simple answers for a directory with the service account and alice. groups is what
// is answered to searches for groups.
func simple(groups ...*ber.Packet) func(r request) []*ber.Packet {
	return func(r request) []*ber.Packet {
		switch {
		case r.op == goldap.ApplicationBindRequest && (r.name == svc && r.password == "secret" || r.name == alice && r.password == right):
			return bound(0, "")
		case r.op == goldap.ApplicationBindRequest:
			return bound(49, "")
		case r.op == goldap.ApplicationSearchRequest && strings.Contains(r.filter, "groupOf"):
			return entries(groups...)
		case r.op == goldap.ApplicationSearchRequest && (strings.Contains(r.filter, "(uid=alice)") || r.scope == goldap.ScopeBaseObject && r.name == alice || strings.Contains(r.filter, "entryUUID=uuid-of-alice)")):
			return entries(entry(alice, "entryUUID", "uuid-of-alice", "uid", "alice", "cn", "Alice"))
		case r.op == goldap.ApplicationSearchRequest:
			return entries()
		}
		return nil
	}
}

// open returns a Directory for servers, with changes.
func open(t *testing.T, urls []string, change func(*Config)) *Directory {
	t.Helper()
	c := Config{URL: urls, BindDN: svc, BindPassword: "secret", BaseDN: people, Timeout: 5}
	if change != nil {
		change(&c)
	}
	d, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// A vouched is a certificate for loopback and the authority that vouches for it.
type vouched struct {
	ca   string // PEM
	tls  tls.Certificate
	cert string // PEM
	key  string // PEM
}

// vouch makes a certificate for names and addresses.
func vouch(t testing.TB, names ...string) vouched {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test server"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return vouched{
		ca: text("CERTIFICATE", caDER), cert: text("CERTIFICATE", der), key: text("PRIVATE KEY", keyDER),
		tls: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
	}
}

func (v vouched) server() *tls.Config { return &tls.Config{Certificates: []tls.Certificate{v.tls}} }

// No goroutine of a connection outlives its Directory.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
