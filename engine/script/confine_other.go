//go:build !linux

package script

// Limited tells whether the memory of a script is bounded on this platform.
const Limited = false

// confine does nothing where there is no dependable limit on memory: the time
// that the parent gives is the only bound.
func confine() error { return nil }
