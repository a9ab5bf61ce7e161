package script

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// Limited tells whether the memory of a script is bounded on this platform.
const Limited = true

// confine takes from this process what a script does not need: memory, files,
// and time, in case the parent is not there to end it.
func confine() error {
	// The runtime has reserved much address space that it does not use, so the
	// bound is on what comes after.
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		return err
	}
	seconds := uint64(TimeLimit/time.Second) + 1
	for _, limit := range []struct {
		resource int
		most     uint64
	}{
		{syscall.RLIMIT_AS, pages*uint64(os.Getpagesize()) + memoryLimit},
		{syscall.RLIMIT_CPU, seconds},
		{syscall.RLIMIT_FSIZE, 0},
		{syscall.RLIMIT_CORE, 0},
		{syscall.RLIMIT_NOFILE, 0},
	} {
		if err := syscall.Setrlimit(limit.resource, &syscall.Rlimit{Cur: limit.most, Max: limit.most}); err != nil {
			return err
		}
	}
	return nil
}
