// Package mic is Mobile Identity Connect without its wiring: what a provider of
// identities is to the server (Provider, Passwords, Redirects), and the parts of
// OAuth 2.0 that decide something and touch nothing: tokens (Token), what waits
// for its next step (Flows), where a browser may be sent (Redirect), and the proof
// that who ends a login has begun it (Challenge).
//
// Two layers of credentials lie on top of each other. The provider proves who
// somebody is; for that an app gets a grant, with an access and a refresh token of
// this package's form; for the access token the server opens a session, like
// those that it opens for passwords, which is good while the access token is.
// Grants are rows of the engine (engine/mic_grant.go), which keeps digests only.
//
// The providers are packages below this one, each the only user of its library:
// oidc (OpenID Connect, plain OAuth 2.0), saml, and ldap (LDAP, Active Directory).
// Package fetch makes the HTTP clients that reach them. Time is an argument and
// randomness an io.Reader, here and there.
package mic
