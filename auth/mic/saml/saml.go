package saml

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/beevik/etree"
	saml2 "github.com/russellhaering/gosaml2"
	dsig "github.com/russellhaering/goxmldsig"

	"postern/auth/mic"
)

// A Provider is a SAML identity provider. It implements mic.Redirects and is safe
// for concurrent use.
type Provider struct {
	cfg  Config
	set  *settings
	from *source // nil: set.static
	seen seen
}

var _ mic.Redirects = (*Provider)(nil)

// maxResponse bounds the base64 of a response, in bytes.
const maxResponse = 256 << 10

// New returns a Provider of a valid configuration. It connects to nothing.
func New(c Config) (*Provider, error) {
	set, err := c.read()
	switch {
	case err != nil:
		return nil, err
	case c.Now == nil || c.Rand == nil:
		return nil, errors.New("the clock (Now) or the source of randomness (Rand) is not set")
	case set.static == nil && c.HTTP == nil:
		return nil, errors.New("no client (HTTP) to fetch idpMetadataUrl with")
	}
	p := &Provider{cfg: c, set: set, seen: seen{ids: map[string]struct{}{}, most: maxSeen}}
	if set.static == nil {
		p.from = newSource(&p.cfg)
	}
	return p, nil
}

// begun is what Finish needs to know of Begin.
type begun struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// Begin makes a request. state goes with it as RelayState, for which the standard
// has 80 bytes.
func (p *Provider) Begin(ctx context.Context, state string) (to string, begin []byte, err error) {
	known, err := p.provider(ctx)
	if err != nil {
		return "", nil, err
	}
	b := begun{At: p.cfg.Now().UTC()}
	to, b.ID, err = p.request(known, state, b.At)
	if mic.Step(ctx, err, "make a request to %s", known.sso) != nil {
		return "", nil, fmt.Errorf("%w: %w", mic.ErrUnavailable, err)
	}
	begin, err = json.Marshal(b)
	return to, begin, err
}

func (p *Provider) provider(ctx context.Context) (*idp, error) {
	if p.from == nil {
		known := p.set.static
		if known.valid(p.cfg.Now()) {
			return known, nil
		}
		err := mic.Step(ctx, errors.New("it is no longer valid (validUntil)"), "use the metadata of the provider")
		return nil, fmt.Errorf("%w: the metadata: %w", mic.ErrUnavailable, err)
	}
	known, err := p.from.get(ctx)
	if mic.Step(ctx, err, "get the metadata of the provider from %s", p.cfg.IDPMetadataURL) != nil {
		return nil, fmt.Errorf("%w: the metadata: %w", mic.ErrUnavailable, err)
	}
	return known, nil
}

// request writes an AuthnRequest into the query of a URL.
func (p *Provider) request(to *idp, state string, now time.Time) (where, id string, err error) {
	sp := &saml2.SAMLServiceProvider{
		IdentityProviderSSOURL:      to.sso,
		ServiceProviderIssuer:       p.cfg.EntityID,
		AssertionConsumerServiceURL: p.cfg.ACSURL,
		NameIdFormat:                p.set.format,
		ForceAuthn:                  p.cfg.ForceAuthn,
		SignAuthnRequests:           p.cfg.SignRequests,
		SignAuthnRequestsAlgorithm:  dsig.RSASHA256SignatureMethod,
		Clock:                       dsig.NewFakeClockAt(now),
	}
	if p.cfg.SignRequests {
		// The library signs with crypto/rand, which PKCS #1 v1.5 makes no use of in
		// what it signs.
		if err := sp.SetSPSigningKeyStore(&saml2.KeyStore{Signer: p.set.key, Cert: p.set.der}); err != nil {
			return "", "", err
		}
	}
	doc, err := sp.BuildAuthRequestDocumentNoSig() // the query is what is signed
	if err != nil {
		return "", "", err
	}
	var random [20]byte
	if _, err := io.ReadFull(p.cfg.Rand, random[:]); err != nil {
		return "", "", errors.New("no randomness")
	}
	// In the place of the library's id, which is not from our source.
	id = "_" + hex.EncodeToString(random[:])
	doc.Root().CreateAttr("ID", id)
	where, err = sp.BuildAuthURLRedirect(state, doc)
	return where, id, err
}

// Finish reads a response; back is the form. What it is refused for is decided by
// the rules in the package comment.
func (p *Provider) Finish(ctx context.Context, begin []byte, back url.Values) (*mic.Account, error) {
	var b begun
	if err := json.Unmarshal(begin, &b); err != nil || b.ID == "" {
		return nil, refused(errors.New("no login was begun"))
	}
	m, err := received(back)
	if mic.Step(ctx, err, "read the response") != nil {
		return nil, refused(err)
	}
	err = status(m.response)
	if mic.Step(ctx, err, "look at its status") != nil {
		return nil, refused(err)
	}
	known, err := p.provider(ctx)
	if err != nil {
		return nil, err
	}
	now := p.cfg.Now()
	response, assertion, err := m.verify(known.certs, now)
	if errors.Is(err, errKey) && p.from != nil {
		// The provider may have a new key.
		if newer := p.from.renew(ctx, known); newer != nil {
			known = newer
			response, assertion, err = m.verify(known.certs, now)
		}
	}
	if mic.Step(ctx, err, "verify its signature") != nil {
		return nil, refused(err)
	}
	if response == nil {
		response = m.response
	}
	until, err := p.check(known, &b, now, response, assertion)
	if mic.Step(ctx, err, "check whose it is, for whom, and when") != nil {
		return nil, refused(err)
	}
	account, err := p.account(assertion, known.issuer)
	if mic.Step(ctx, err, "read who logs in") != nil {
		return nil, refused(err)
	}
	// Last, so that only what would be let in is remembered.
	if !p.seen.first(attribute(assertion, "ID"), until, now) {
		err = errors.New("the assertion was used before")
	}
	if mic.Step(ctx, err, "see that it is new") != nil {
		return nil, refused(err)
	}
	return account, nil
}

// received takes a response apart without believing it.
func received(back url.Values) (*message, error) {
	form := back["SAMLResponse"]
	if len(form) != 1 {
		return nil, fmt.Errorf("%d SAMLResponse where one is needed", len(form))
	}
	if len(form[0]) > maxResponse {
		return nil, fmt.Errorf("more than %d bytes", maxResponse)
	}
	// Line breaks are passed over by the decoder.
	raw, err := base64.StdEncoding.Strict().DecodeString(form[0])
	if err != nil {
		return nil, errors.New("not base64")
	}
	root, err := parse(raw, responseLimits)
	if err != nil {
		return nil, err
	}
	return layout(root)
}

func (p *Provider) check(from *idp, b *begun, now time.Time, response, assertion *etree.Element) (until time.Time, err error) {
	x := &expectation{
		issuer:   from.issuer,
		entityID: p.cfg.EntityID,
		acs:      p.cfg.ACSURL,
		request:  b.ID,
		now:      now,
		leeway:   p.set.leeway,
	}
	if p.cfg.ForceAuthn {
		x.notBefore = b.At
	}
	if err := x.around(response); err != nil {
		return until, err
	}
	return x.within(assertion)
}

func refused(why error) error { return fmt.Errorf("%w: %w", mic.ErrRefused, why) }

// Ask cannot be answered: SAML says who somebody is when he logs in, and only then.
// Accounts have Kept nil, so that nobody asks.
func (p *Provider) Ask(context.Context, []byte) (*mic.Account, error) {
	return nil, fmt.Errorf("%w: SAML has no way to ask again about who has logged in", mic.ErrUnavailable)
}

// Close ends idle connections to where metadata comes from.
func (p *Provider) Close() error {
	if p.from != nil {
		p.from.client.CloseIdleConnections()
	}
	return nil
}
