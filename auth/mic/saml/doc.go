// Package saml logs people in at an identity provider that speaks SAML 2.0. The
// browser takes our request there by the redirect binding and comes back with the
// response by the POST binding (Web Browser SSO).
//
// goxmldsig computes signatures, gosaml2 writes the request. What a response must
// be to be believed is decided here, in this order, and each rule has a test that
// bears its number:
//
//	R1  It is small, UTF-8, and plain XML: no document type, entities, comments,
//	    CDATA or processing instructions, no attribute twice, every prefix declared,
//	    every ID once. The parsers of two libraries then see the same document.
//	R2  It has one Assertion, a child of the Response, and signatures nowhere but
//	    as a child of either.
//	R3  Its status is success.
//	R4  The Response or the Assertion is signed, and what signatures there are hold:
//	    RSA with 2048 bits or more, SHA-256 or better, one reference, to the very
//	    element the signature is in, exclusive canonicalization and nothing else.
//	    The keys are those of the configuration; KeyInfo is not looked at.
//	R5  Everything that is used is read from the bytes that were verified, never
//	    from the document they came in.
//	R6  It is the provider's (Issuer), for us (Audience, Recipient, Destination), the
//	    answer to this request (InResponseTo), and now (NotBefore, NotOnOrAfter,
//	    SessionNotOnOrAfter; the leeway covers clocks that differ).
//	R7  It names somebody for good: a NameID of the format that was asked for and of
//	    no other qualifier, or an attribute with one value. A transient NameID is
//	    new at each login and names nobody.
//	R8  It is the first time. Assertions are remembered in memory until they expire;
//	    after a restart InResponseTo does the same work, because the caller takes
//	    each state once.
//
// A response whose Assertion alone is signed (most are) has unsigned attributes
// around it: they are demanded to fit, and nothing else is made of them.
//
// Not supported, and refused in clear words: encrypted assertions, ECDSA keys (the
// library reads their signatures in a form that providers do not write), artifact
// binding, logout.
package saml
