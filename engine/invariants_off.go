//go:build !invariants

package engine

// invariants switches on the checks that are too dear for every day: under the
// build tag of that name each entity of a list answer is decided again.
const invariants = false
