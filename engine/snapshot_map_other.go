//go:build !linux && !darwin

package engine

import (
	"errors"
	"os"
)

// canMap says that files can be read in place. Elsewhere all rows are in memory,
// whatever Config.ValueMemory says.
const canMap = false

func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapFile([]byte) {}

// syncDir cannot be done everywhere. What a name leads to is checked when it is
// read.
func syncDir(string) error { return nil }
