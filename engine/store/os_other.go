//go:build !linux

package store

import "os"

func checkFileSystem(string, Options) error { return nil }

func syncData(f *os.File) error { return f.Sync() }

// allocate makes no ballast: only Linux servers are for production.
func allocate(string, int64) error { return nil }
