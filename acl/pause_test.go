package acl

import (
	"fmt"
	"testing"
)

// What takes long with many entities lets others work meanwhile.
func TestBuilderPauses(t *testing.T) {
	const n = 5000
	perm := make([]Ordinal, n)
	b := NewBuilder(n)
	for i := range n {
		b.Add(&ACL{Creator: fmt.Sprint("u", i%50), Readers: []string{"x", "y"}})
		perm[i] = Ordinal(n - 1 - i)
	}
	base := b.Base()
	pauses := 0
	count := func(what string, do func(), want int) {
		t.Helper()
		pauses = 0
		do()
		if pauses < want {
			t.Errorf("%s of %d entities with 3 names each: %d pauses, want %d", what, n, pauses, want)
		}
	}
	var grants *Builder
	count("telling the grants", func() { grants = base.Grants(func() { pauses++ }) }, 2*3*n/pauseEach)
	count("an order", func() { grants.Order(perm) }, n+3*n/pauseEach)
	next := grants.Next(n)
	for i := range Ordinal(n) {
		next.AddFrom(grants, i)
	}
	count("a base", func() { next.Base() }, n+2*3*n/pauseEach)
}
