package store

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkFileSystem refuses file systems of other machines: two servers could
// hold the same directory.
func checkFileSystem(dir string, o Options) error {
	if o.AllowNetworkFS {
		return nil
	}
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err
	}
	switch uint32(s.Type) {
	case 0x6969, 0xff534d42, 0xfe534d42, 0x517b: // NFS, CIFS, SMB2, SMB
		return fmt.Errorf("%s is on a network file system (type %#x)", dir, s.Type)
	}
	return nil
}

// syncData makes the contents of f durable.
func syncData(f *os.File) error { return unix.Fdatasync(int(f.Fd())) }

// allocate makes a file of size bytes that really takes them.
func allocate(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, size), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
