package engine

import "postern/engine/document"

// An opRole says what an operator may do. Each may do what the ones before it may.
type opRole uint8

const (
	noRole opRole = iota
	viewer        // looks, and asks what would be
	editor        // changes what the apps hold
	owner         // changes apps, secrets, providers and operators
)

func (o opRole) String() string { return [...]string{"nobody", "viewer", "editor", "owner"}[o] }

// parseRole reads the name of a role.
func parseRole(name string) (opRole, bool) {
	for _, o := range []opRole{viewer, editor, owner} {
		if name == o.String() {
			return o, true
		}
	}
	return noRole, false
}

// role is what an operator is; those who were made before there were roles are
// owners.
func (o *operatorRow) role() opRole {
	if o.Role == "" {
		return owner
	}
	role, _ := parseRole(o.Role)
	return role
}

// roleRoutes says which role each route needs at least when an operator asks, at the
// console or by the management API. What is not here is for owners. noRole is what
// is not for the console at all: other ways in, and what a user does for himself.
var roleRoutes = map[opRole][]string{
	viewer: {
		"GET /-/console/session", "GET /-/live", "GET /-/ready", "GET /-/metrics",
		"GET /appdata", "GET /appdata/{kid}",
		"GET /appdata/{kid}/{collection}", "GET /appdata/{kid}/{collection}/_count", "GET /appdata/{kid}/{collection}/{id}",
		"POST /appdata/{kid}/{collection}/_group", "GET /appdata/{kid}/{collection}/_deltaset",
		"GET /user/{kid}", "GET /user/{kid}/_me", "GET /user/{kid}/_count", "POST /user/{kid}/_group", "POST /user/{kid}/_lookup",
		"GET /user/{kid}/{id}", "GET /user/{kid}/{id}/roles", "POST /rpc/{kid}/check-username-exists",
		"GET /group/{kid}", "GET /group/{kid}/{id}",
		"GET /roles/{kid}", "GET /roles/{kid}/{role}", "GET /roles/{kid}/{role}/membership",
		"GET /stream/{kid}/{name}", "GET /blob/{kid}", "GET /blob/{kid}/{id}",

		"GET /v4/user", "PUT /v4/operator/password",
		"POST /v4/operator/totp", "PUT /v4/operator/totp", "DELETE /v4/operator/totp",
		"GET /v4/operators",
		"GET /v4/apps", "GET /v4/apps/{app}", "GET /v4/apps/{app}/environments",
		"GET /v4/environments/{kid}", "GET /v4/environments/{kid}/outbox",
		"GET /v4/environments/{kid}/collections", "GET /v4/environments/{kid}/collections/{name}",
		"GET /v4/environments/{kid}/collections/{name}/entities",
		"GET /v4/environments/{kid}/collections/{name}/orders", "GET /v4/environments/{kid}/collections/{name}/explain-query",
		"GET /v4/environments/{kid}/collections/{name}/why", "GET /v4/environments/{kid}/collections/{name}/who-can",
		"GET /v4/environments/{kid}/visible",
		"POST /v4/environments/{kid}/collections/{name}/preview", "POST /v4/environments/{kid}/preview",
		"GET /v4/environments/{kid}/users", "GET /v4/environments/{kid}/users/{name}", "GET /v4/environments/{kid}/users/{name}/sessions",
		"GET /v4/environments/{kid}/sessions", "GET /v4/environments/{kid}/groups", "GET /v4/environments/{kid}/groups/{id}",
		"GET /v4/environments/{kid}/names", "GET /v4/environments/{kid}/lint",
		"GET /v4/system", "GET /v4/requests",
		"GET /v4/audit", "GET /v4/audit/verify", "GET /v4/environments/{kid}/audit",
		"GET /v4/auth-services", "GET /v4/auth-services/{service}", "GET /v4/identity-stores", "GET /v4/identity-stores/{store}",
		"GET /v4/environments/{kid}/business-logic/common", "GET /v4/environments/{kid}/business-logic/endpoints",
		"GET /v4/environments/{kid}/business-logic/collections", "GET /v4/environments/{kid}/push",
		"GET /v4/organizations", "GET /v4/organizations/{org}", "GET /v4/organizations/{org}/apps",
		"GET /v4/services", "GET /v4/services/{service}", "GET /v4/sites", "GET /v4/identity-providers",
	},
	editor: {
		"POST /appdata/{kid}/{collection}", "DELETE /appdata/{kid}/{collection}",
		"PUT /appdata/{kid}/{collection}/{id}", "DELETE /appdata/{kid}/{collection}/{id}",
		"POST /rpc/{kid}/remove-collection",
		"POST /user/{kid}", "PUT /user/{kid}/{id}", "DELETE /user/{kid}", "DELETE /user/{kid}/{id}", "POST /user/{kid}/{id}/_restore",
		"DELETE /user/{kid}/{id}/tokens", "POST /rpc/{kid}/lockdown-user", "POST /rpc/{kid}/user-forgot-username",
		"POST /rpc/{kid}/{name}/user-password-reset-initiate", "POST /rpc/{kid}/{name}/user-email-verification-initiate",
		"POST /group/{kid}", "PUT /group/{kid}/{id}", "DELETE /group/{kid}/{id}",
		"POST /roles/{kid}", "PUT /roles/{kid}/{role}", "DELETE /roles/{kid}/{role}", "POST /roles/{kid}/{role}/membership",
		"PUT /user/{kid}/{id}/roles/{role}", "DELETE /user/{kid}/{id}/roles/{role}",
		"POST /rpc/{kid}/custom/{name}", "POST /blob/{kid}", "PUT /blob/{kid}/{id}", "DELETE /blob/{kid}/{id}",

		"POST /v4/environments/{kid}/collections", "PUT /v4/environments/{kid}/collections/{name}",
		"DELETE /v4/environments/{kid}/collections/{name}", "PUT /v4/environments/{kid}/collections/{name}/orders",
		"POST /v4/environments/{kid}/collections/{name}/import", "POST /v4/environments/{kid}/collections/{name}/bulk-acl",
		"PUT /v4/environments/{kid}/users/{name}/password",
		"POST /v4/environments/{kid}/users/{name}/suspend", "POST /v4/environments/{kid}/users/{name}/restore",
		"DELETE /v4/environments/{kid}/users/{name}/sessions", "DELETE /v4/environments/{kid}/users/{name}/sessions/{session}",
		"DELETE /v4/environments/{kid}/sessions/{id}", "POST /v4/check",
	},
	noRole: {
		"POST /session", "DELETE /session", "POST /v4/session", "DELETE /v4/session",
		"POST /user/{kid}/login", "POST /user/{kid}/_logout",
		"GET /oauth/auth", "POST /oauth/auth", "POST /oauth/authenticate/{login}", "POST /oauth/token", "POST /oauth/revoke",
		"GET /oauth2/redirect/{service}", "POST /oauth2/redirect/{service}", "GET /oauth2/saml/{service}",
		"GET /-/reset/{kid}/{id}/{token}", "POST /-/reset/{kid}/{id}/{token}",
		"GET /-/verify/{kid}/{id}/{token}", "POST /-/verify/{kid}/{id}/{token}",
		"POST /appdata/{kid}/{collection}/_subscribe", "POST /appdata/{kid}/{collection}/_unsubscribe",
		"POST /user/{kid}/{id}/register-realtime", "POST /user/{kid}/{id}/unregister-realtime",
		"POST /push/{kid}/register-device", "POST /push/{kid}/unregister-device",
	},
}

// roleOf is roleRoutes by route.
var roleOf = func() map[string]opRole {
	byRoute := map[string]opRole{}
	for role, routes := range roleRoutes {
		for _, r := range routes {
			byRoute[r] = role
		}
	}
	return byRoute
}()

// leastRole is the role that a route needs.
func leastRole(t route) opRole {
	if role, ok := roleOf[t.method+" "+t.path]; ok {
		return role
	}
	return owner
}

// mayHere tells whether the role is enough for the route at the console.
func (r *Request) mayHere(o opRole) bool {
	return r.route.role != noRole && o >= r.route.role || o >= viewer && r.dryRun()
}

// dryRun tells whether the request only asks what it would do, as its handler reads it.
func (r *Request) dryRun() bool {
	switch r.route.method + " " + r.route.path {
	case "POST " + importPath:
		return string(r.ctx.QueryArgs().Peek("check")) == "true"
	case "PUT /v4/environments/{kid}/config":
		return r.ctx.QueryArgs().GetBool("check")
	case "POST /v4/environments/{kid}/collections/{name}/bulk-acl":
		doc, err := r.bulkBody()
		v := doc.Get("dryRun")
		return err == nil && v.Kind() == document.Bool && v.Bool()
	}
	return false
}
