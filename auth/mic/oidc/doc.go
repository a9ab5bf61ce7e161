// Package oidc logs people in at an identity provider that speaks OpenID Connect,
// or plain OAuth 2.0 with an endpoint that tells who somebody is. It implements
// mic.Redirects.
//
// With an Issuer in its Config a Provider is OpenID Connect: endpoints and keys
// come from the issuer's discovery document, and who somebody is from a signed id
// token. Without, it is plain OAuth 2.0: the endpoints are configured, and who
// somebody is comes from the user-id endpoint.
//
// What holds for every login:
//
//	O1  Authorization code flow only, with PKCE (S256) always. Tokens that come
//	    through the browser are not looked at.
//	O2  The answer names its issuer (RFC 9207) where the provider says that it
//	    does, and never another one. A plain OAuth 2.0 provider has no issuer to
//	    compare: give each such service a redirect URL of its own.
//	O3  The discovery document names exactly the configured issuer. Its endpoints
//	    are https if the issuer is. Where a request may go by address is decided by
//	    the HTTP client, see mic/fetch.
//	O4  Nothing that carries a secret follows a redirect.
//	O5  An id token is signed with an asymmetric algorithm of the configured list,
//	    by a key of the issuer's set that is meant for it. Without a key id the set
//	    must hold exactly one such key.
//	O6  iss is the issuer; aud holds the client id and otherwise only configured
//	    audiences; azp is the client id if it is there, and there if aud holds
//	    several. exp and iat are there; exp, iat and nbf are kept with a leeway.
//	O7  nonce is the one of this login. at_hash and c_hash, if there, are right.
//	    acr, if levels were asked for, is one of them: who asks for a second factor
//	    would not want a login without.
//	O8  The subject is 1 to mic.MaxSubject bytes that mean the same to everybody:
//	    no control characters, and nothing that was not UTF-8. User info is about
//	    the same sub as the id token, or the login fails.
//	O9  Everything is bounded: the parameters of an answer, the size of every
//	    document and token, the number and size of keys, groups and attributes.
//	O10 No token, code, verifier or secret is in an error or a mic.Step. Text of
//	    the provider is cut and freed of control characters first.
//
// A groups claim that is neither a string nor a list of strings, is too long, or
// is only pointed to (_claim_names) makes the provider unavailable. To read it as
// "no groups" would silently take away what the groups give. A claim that is
// absent, null or empty does mean no groups.
package oidc
