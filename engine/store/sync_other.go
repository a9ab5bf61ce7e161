//go:build !(linux && (amd64 || arm64))

package store

import (
	"errors"
	"os"
)

// A syncer is there on Linux only.
type syncer struct{}

func newSyncer() (*syncer, error) { return nil, errors.ErrUnsupported }

func (*syncer) sync(f *os.File) error { return syncData(f) }

func (*syncer) write(*os.File, []byte, int64) (begun bool, err error) { return false, nil }

func (*syncer) close() error { return nil }

func openDirect(string) (*os.File, error) { return nil, errors.ErrUnsupported }
