package ldap

import "testing"

// Vouch makes a certificate for names and addresses, and the authority's: all PEM.
func Vouch(t testing.TB, names ...string) (ca, cert, key string) {
	v := vouch(t, names...)
	return v.ca, v.cert, v.key
}
