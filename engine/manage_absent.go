package engine

import (
	"github.com/valyala/fasthttp"

	"postern/engine/document"
)

// What a management client asks about and this server does not have. Questions
// are answered with nothing, so that the client goes on; an order is refused,
// so that nobody believes it was carried out.

// none answers with the empty list.
func (e *Engine) none(r *Request) error {
	return r.json(fasthttp.StatusOK, []byte("[]"))
}

func (e *Engine) noCode(*Request) error {
	return fault(errConfiguration, "this server runs no business logic: no hooks, endpoints or common code")
}

func (e *Engine) noPush(r *Request) error {
	if r.ctx.IsGet() {
		return r.json(fasthttp.StatusOK, []byte("{}"))
	}
	return fault(errConfiguration, "this server sends no push messages")
}

func (e *Engine) noServices(*Request) error {
	return fault(errConfiguration, "this server runs no Flex or data services; its auth services, which are identity providers, are set up with postern mic")
}

func (e *Engine) noService(*Request) error {
	return fault(errEntityNotFound, "this server runs no Flex or data services")
}

func (e *Engine) noSites(*Request) error {
	return fault(errConfiguration, "this server publishes no websites")
}

// organization is the one that a server has, because kinvey-cli makes apps only
// within one. The client takes a text of this form for a name, so that name and
// id have to be the same.
const organization = "postern"

func describeOrganization() []byte {
	return new(jsonObject).text("id", organization).text("name", organization).
		raw("security", `{"requireApprovals":false,"requireEmailVerification":false,"requireTwoFactorAuth":false}`).close()
}

func (e *Engine) listOrganizations(r *Request) error {
	return r.json(fasthttp.StatusOK, jsonList([][]byte{describeOrganization()}))
}

func (e *Engine) getOrganization(r *Request) error {
	if r.param(0) != organization {
		return fault(errEntityNotFound, "the one organization of this server is %q", organization)
	}
	return r.json(fasthttp.StatusOK, describeOrganization())
}

// putOrganization takes settings as they are: kinvey-cli applies an organization
// that it exported.
func (e *Engine) putOrganization(r *Request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	if r.param(0) == organization && !document.Equal(body.Get("security"), document.Trusted(describeOrganization()).Get("security")) {
		return fault(errConfiguration, "the settings of the organization of this server do not change")
	}
	return e.getOrganization(r)
}

// appsOfOrganization are all.
func (e *Engine) appsOfOrganization(r *Request) error {
	if r.param(0) != organization {
		return e.getOrganization(r)
	}
	return e.listApps(r)
}

// operatorSelf tells an operator who he is.
func (e *Engine) operatorSelf(r *Request) error {
	return r.json(fasthttp.StatusOK, append(document.AppendQuote([]byte(`{"email":`), r.operator), '}'))
}
