package engine

import (
	"errors"
	"testing"

	"postern/acl"
	"postern/engine/store"
)

// panicking is an intent with a mistake in it.
type panicking struct{}

func (panicking) plan(*draft) ([]store.Op, error) { panic("a mistake") }

// An intent that panics is refused; the others of its group and those after it
// go on.
func TestPanicInTheCommitterRefusesOneIntent(t *testing.T) {
	b := newCommitBench(t, store.NewMemory())
	outcomes := b.together(b.a, b.create(b.alice, "before", "1", ""), panicking{}, b.create(b.alice, "after", "1", ""))
	if outcomes[0] != nil || !errors.Is(outcomes[1], errInternal) || outcomes[2] != nil {
		t.Errorf("outcomes %v", outcomes)
	}
	b.must(b.a, b.level(acl.Private))
	b.check()
}
