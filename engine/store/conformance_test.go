package store_test

import (
	"testing"

	"postern/engine/store"
	"postern/engine/store/storetest"
)

// quick are Options for tests: as a server's, without the ballast.
var quick = store.Options{NoBallast: true}

func open(t testing.TB, dir string) *store.Badger {
	t.Helper()
	b, err := store.OpenBadger(dir, quick)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Driver { return store.NewMemory() })
}

func TestBadger(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Driver { return open(t, t.TempDir()) })
}

func TestFaultWithoutPlan(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Driver { return store.NewFault(store.NewMemory(), 1, store.FaultPlan{}) })
}
