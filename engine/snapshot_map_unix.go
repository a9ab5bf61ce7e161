//go:build linux || darwin

package engine

import (
	"os"
	"syscall"
)

// canMap says that files can be read in place.
const canMap = true

// mapFile returns the first size bytes of a file, read in place.
func mapFile(f *os.File, size int) ([]byte, error) {
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
}

func unmapFile(b []byte) { _ = syscall.Munmap(b) }

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
