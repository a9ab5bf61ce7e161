package engine

import "postern/acl"

// allow is the set of credentials that a route takes.
type allow uint8

const (
	anyone     allow = 1 << iota // no credentials are looked at
	asApp                        // app key and app secret
	asUser                       // a user of the app, by password or session
	asMaster                     // app key and master secret
	asOperator                   // an operator of this server
)

const (
	withUser  = asUser | asMaster
	bootstrap = asApp | asUser | asMaster
	manage    = asMaster | asOperator
)

// takes reports whether a route that allows a takes the role.
func (a allow) takes(role acl.Role) bool {
	switch role {
	case acl.RoleApp:
		return a&asApp != 0
	case acl.RoleUser:
		return a&asUser != 0
	case acl.RoleMaster:
		return a&asMaster != 0
	}
	return false
}

// A route is one line of the table below.
type route struct {
	method  string
	path    string // {kid} is the app key, other {names} are parameters in order
	allow   allow
	handler handler
}

// routes is every URL of the server on one screen. The adapter (handle) does
// what they have in common. Below them come the probes and, on the socket in
// the data directory only, the administration (admin.go).
func (e *Engine) routes() []route {
	return []route{
		{"GET", "/appdata", anyone, e.hello},
		{"GET", "/appdata/{kid}", bootstrap, e.handshake},

		{"POST", "/user/{kid}", asApp | asMaster, e.signUp},
		{"GET", "/user/{kid}", withUser, e.listUsers},
		{"POST", "/user/{kid}/login", asApp | asMaster, e.login},
		{"POST", "/user/{kid}/_logout", asUser, e.logout},
		{"GET", "/user/{kid}/_me", asUser, e.me},
		{"GET", "/user/{kid}/_count", withUser, e.countUsers},
		{"POST", "/user/{kid}/_group", withUser, e.groupUsers},
		{"POST", "/user/{kid}/_lookup", withUser, e.lookup},
		{"DELETE", "/user/{kid}", asMaster, e.deleteUsers},
		{"GET", "/user/{kid}/{id}", withUser, e.getUser},
		{"PUT", "/user/{kid}/{id}", withUser, e.putUser},
		{"DELETE", "/user/{kid}/{id}", withUser, e.deleteUser},
		{"POST", "/user/{kid}/{id}/_restore", asMaster, e.restoreUser},
		{"DELETE", "/user/{kid}/{id}/tokens", withUser, e.endTokens},
		{"POST", "/rpc/{kid}/lockdown-user", asMaster, e.lockdownUser},
		{"POST", "/rpc/{kid}/user-forgot-username", bootstrap, e.forgotUsername},
		{"POST", "/rpc/{kid}/check-username-exists", bootstrap, e.usernameExists},
		{"POST", "/rpc/{kid}/{name}/user-password-reset-initiate", bootstrap, e.resetPassword},
		{"POST", "/rpc/{kid}/{name}/user-email-verification-initiate", bootstrap, e.verifyEmail},

		{"POST", manyPath, withUser, e.createEntity},
		{"GET", listPath, withUser, e.listEntities},
		{"DELETE", "/appdata/{kid}/{collection}", withUser, e.deleteEntities},
		{"GET", countPath, withUser, e.countEntities},
		{"POST", "/appdata/{kid}/{collection}/_group", withUser, e.groupEntities},
		{"GET", "/appdata/{kid}/{collection}/_deltaset", withUser, e.deltaSet},
		{"GET", onePath, withUser, e.getEntity},
		{"PUT", "/appdata/{kid}/{collection}/{id}", withUser, e.putEntity},
		{"DELETE", "/appdata/{kid}/{collection}/{id}", withUser, e.deleteEntity},

		{"POST", "/rpc/{kid}/remove-collection", asMaster, e.removeCollection},

		{"POST", "/group/{kid}", withUser, e.createGroup},
		{"GET", "/group/{kid}", asMaster, e.listGroups},
		{"GET", "/group/{kid}/{id}", withUser, e.getGroup},
		{"PUT", "/group/{kid}/{id}", withUser, e.putGroup},
		{"DELETE", "/group/{kid}/{id}", withUser, e.deleteGroup},

		// Mobile Identity Connect. Before these clients put /v1, /v2 or /v3, or nothing.
		{"GET", "/oauth/auth", anyone, e.showLogin},
		{"POST", "/oauth/auth", anyone, e.oauth(e.temporaryLogin)},
		{"POST", codePath + "{login}", anyone, e.authenticate},
		{"POST", "/oauth/token", anyone, e.oauth(e.token)},
		{"POST", "/oauth/revoke", anyone, e.oauth(e.revoke)},
		{"GET", backPath + "{service}", anyone, e.returned},
		{"POST", backPath + "{service}", anyone, e.returned},
		{"GET", metadataPath + "{service}", anyone, e.samlMetadata},

		// What this server does not have, answered as clients understand it.
		{"POST", "/rpc/{kid}/custom/{name}", withUser, e.noEndpoint},
		{"POST", "/appdata/{kid}/{collection}/_subscribe", asUser, e.notConfigured},
		{"POST", "/appdata/{kid}/{collection}/_unsubscribe", asUser, e.notConfigured},
		{"POST", "/user/{kid}/{id}/register-realtime", asUser, e.notConfigured},
		{"POST", "/user/{kid}/{id}/unregister-realtime", asUser, e.notConfigured},
		{"POST", "/push/{kid}/register-device", asUser, e.notConfigured},
		{"POST", "/push/{kid}/unregister-device", asUser, e.notConfigured},
		{"GET", "/stream/{kid}/{name}", withUser, e.notConfigured},
		{"GET", "/blob/{kid}", withUser, e.notConfigured},
		{"POST", "/blob/{kid}", withUser, e.notConfigured},
		{"GET", "/blob/{kid}/{id}", withUser, e.notConfigured},
		{"PUT", "/blob/{kid}/{id}", withUser, e.notConfigured},
		{"DELETE", "/blob/{kid}/{id}", withUser, e.notConfigured},
		{"GET", "/-/reset/{kid}/{id}/{token}", anyone, e.showReset},
		{"POST", "/-/reset/{kid}/{id}/{token}", anyone, e.doReset},
		{"GET", "/-/verify/{kid}/{id}/{token}", anyone, e.showVerify},
		{"POST", "/-/verify/{kid}/{id}/{token}", anyone, e.doVerify},

		{"GET", "/roles/{kid}", asMaster, e.listRoles},
		{"POST", "/roles/{kid}", asMaster, e.createRole},
		{"GET", "/roles/{kid}/{role}", asMaster, e.getRole},
		{"PUT", "/roles/{kid}/{role}", asMaster, e.putRole},
		{"DELETE", "/roles/{kid}/{role}", asMaster, e.deleteRole},
		{"GET", "/roles/{kid}/{role}/membership", asMaster, e.listMembers},
		{"POST", "/roles/{kid}/{role}/membership", asMaster, e.addMembers},
		{"GET", "/user/{kid}/{id}/roles", withUser, e.rolesOfUser},
		{"PUT", "/user/{kid}/{id}/roles/{role}", asMaster, e.giveRole},
		{"DELETE", "/user/{kid}/{id}/roles/{role}", asMaster, e.takeRole},

		{"POST", "/session", anyone, e.operatorLogin},
		{"DELETE", "/session", asOperator, e.operatorLogout},
		{"POST", "/v4/session", anyone, e.operatorLogin},
		{"DELETE", "/v4/session", asOperator, e.operatorLogout},
		{"GET", "/v4/user", asOperator, e.operatorSelf},
		{"GET", "/v4/system", asOperator, e.manageSystem},
		{"GET", "/v4/requests", asOperator, e.listRequests},
		{"GET", "/v4/apps", asOperator, e.listApps},
		{"POST", "/v4/apps", asOperator, e.makeApp},
		{"GET", "/v4/apps/{app}", asOperator, e.getApplication},
		{"PUT", "/v4/apps/{app}", asOperator, e.putApplication},
		{"DELETE", "/v4/apps/{app}", asOperator, e.deleteApplication},
		{"GET", "/v4/apps/{app}/environments", asOperator, e.listEnvironments},
		{"POST", "/v4/apps/{app}/environments", asOperator, e.makeEnvironment},
		{"GET", "/v4/environments/{kid}", asOperator, e.showEnvironment},
		{"PUT", "/v4/environments/{kid}", asOperator, e.changeApp},
		{"DELETE", "/v4/environments/{kid}", asOperator, e.deleteEnvironment},
		{"POST", "/v4/environments/{kid}/regenerate-appsecret", asOperator, e.newAppSecret},
		{"POST", "/v4/environments/{kid}/regenerate-mastersecret", asOperator, e.newMasterSecret},
		{"GET", "/v4/environments/{kid}/outbox", manage, e.listOutbox},
		{"GET", "/v4/environments/{kid}/outbox/{id}", manage, e.showMail},
		{"DELETE", "/v4/environments/{kid}/outbox", manage, e.clearOutbox},
		{"GET", "/v4/environments/{kid}/collections", manage, e.listCollections},
		{"POST", "/v4/environments/{kid}/collections", manage, e.createCollection},
		{"GET", "/v4/environments/{kid}/collections/{name}", manage, e.getCollection},
		{"PUT", "/v4/environments/{kid}/collections/{name}", manage, e.putCollection},
		{"DELETE", "/v4/environments/{kid}/collections/{name}", manage, e.deleteCollection},
		{"GET", "/v4/environments/{kid}/collections/{name}/orders", manage, e.getOrders},
		{"PUT", "/v4/environments/{kid}/collections/{name}/orders", manage, e.putOrders},
		{"GET", "/v4/environments/{kid}/collections/{name}/explain-query", manage, e.explainQuery},
		{"GET", "/v4/environments/{kid}/collections/{name}/why", manage, e.why},
		{"GET", "/v4/environments/{kid}/collections/{name}/who-can", manage, e.whoCan},
		{"GET", "/v4/environments/{kid}/collections/{name}/entities", manage, e.manageEntities},
		{"GET", "/v4/environments/{kid}/visible", manage, e.visibleTo},
		{"GET", "/v4/environments/{kid}/users", manage, e.manageUsers},
		{"GET", "/v4/environments/{kid}/names", manage, e.nameUsers},
		{"GET", "/v4/environments/{kid}/lint", manage, e.lint},
		{"GET", "/v4/environments/{kid}/groups", manage, e.manageGroups},
		{"GET", "/v4/environments/{kid}/groups/{id}", manage, e.manageGroup},
		{"GET", "/v4/environments/{kid}/sessions", manage, e.manageSessions},
		{"DELETE", "/v4/environments/{kid}/sessions/{id}", manage, e.endManagedSession},
		{"POST", "/v4/environments/{kid}/collections/{name}/preview", manage, e.previewCollection},
		{"POST", "/v4/environments/{kid}/preview", manage, e.previewGroup},
		{"POST", "/v4/environments/{kid}/collections/{name}/bulk-acl", manage, e.bulkACL},
		{"POST", importPath, manage, e.importEntities},
		{"GET", "/v4/environments/{kid}/audit", manage, e.listAppAudit},
		{"GET", "/v4/audit", asOperator, e.listAudit},
		{"GET", "/v4/audit/verify", asOperator, e.verifyAudit},

		{"GET", "/v4/auth-services", asOperator, e.listServices},
		{"POST", "/v4/auth-services", asOperator, e.makeService},
		{"GET", "/v4/auth-services/{service}", asOperator, e.getService},
		{"PUT", "/v4/auth-services/{service}", asOperator, e.putService},
		{"DELETE", "/v4/auth-services/{service}", asOperator, e.deleteService},
		{"POST", "/v4/auth-services/{service}/test", asOperator, e.trialLogin},
		{"GET", "/v4/identity-stores", asOperator, e.listStores},
		{"POST", "/v4/identity-stores", asOperator, e.makeStore},
		{"GET", "/v4/identity-stores/{store}", asOperator, e.getStore},
		{"DELETE", "/v4/identity-stores/{store}", asOperator, e.deleteStore},

		// What kinvey-cli looks at on its way and this server does not have.
		{"GET", "/v4/environments/{kid}/business-logic/common", asOperator, e.none},
		{"GET", "/v4/environments/{kid}/business-logic/endpoints", asOperator, e.none},
		{"GET", "/v4/environments/{kid}/business-logic/collections", asOperator, e.none},
		{"POST", "/v4/environments/{kid}/business-logic/common", asOperator, e.noCode},
		{"POST", "/v4/environments/{kid}/business-logic/endpoints", asOperator, e.noCode},
		{"PUT", "/v4/environments/{kid}/business-logic/collections/{name}/{hook}", asOperator, e.noCode},
		{"GET", "/v4/environments/{kid}/push", asOperator, e.noPush},
		{"PUT", "/v4/environments/{kid}/push", asOperator, e.noPush},
		{"POST", "/v4/environments/{kid}/push", asOperator, e.noPush},
		{"GET", "/v4/organizations", asOperator, e.listOrganizations},
		{"GET", "/v4/organizations/{org}", asOperator, e.getOrganization},
		{"GET", "/v4/organizations/{org}/apps", asOperator, e.appsOfOrganization},
		{"PUT", "/v4/organizations/{org}", asOperator, e.putOrganization},
		{"GET", "/v4/services", asOperator, e.none},
		{"POST", "/v4/services", asOperator, e.noServices},
		{"GET", "/v4/services/{service}", asOperator, e.noService},
		{"PUT", "/v4/services/{service}", asOperator, e.noService},
		{"GET", "/v4/sites", asOperator, e.none},
		{"POST", "/v4/sites", asOperator, e.noSites},
		{"GET", "/v4/identity-providers", anyone, e.none},
	}
}
