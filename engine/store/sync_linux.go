//go:build linux && (amd64 || arm64)

package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A syncer makes files durable as fdatasync does, but its caller waits as for a
// socket and not in a system call: Go takes a system call for a short one, and
// where it takes as long as a disk, a processor is kept from other work, which
// is every second one of a small machine for most of a busy time. It uses the
// kernel's asynchronous I/O (io_submit), with an eventfd that Go's poller waits
// for. It is for one goroutine at a time.
//
// What the kernel is handed are addresses of a syncer's own members: a syncer
// is on the heap, where Go moves nothing, and is kept alive behind each call.
type syncer struct {
	context uintptr
	done    *os.File // the eventfd
	number  uint32   // its number
	control iocb
	list    [1]*iocb
}

// An iocb is the kernel's struct iocb as little-endian machines have it.
type iocb struct {
	_          uint64 // data
	_          uint32 // key
	writeFlags uint32
	opcode     uint16
	_          int16 // priority
	file       uint32
	buffer     uintptr
	size       uint64
	offset     int64
	_          uint64
	flags      uint32
	eventFD    uint32
}

const (
	opWrite       = 1 // IOCB_CMD_PWRITE
	opFDSync      = 3 // IOCB_CMD_FDSYNC
	flagDSync     = 2 // RWF_DSYNC: the write is done when it is durable
	flagOfEventFD = 1 // IOCB_FLAG_RESFD
)

// An ioEvent is the kernel's struct io_event.
type ioEvent struct {
	_, _   uint64 // data, the iocb
	result int64  // 0, or an error's number below 0
	_      int64
}

// newSyncer returns an error where the kernel, or who confines this process,
// has no asynchronous I/O for it.
func newSyncer() (*syncer, error) {
	s := new(syncer)
	if _, _, e := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&s.context)), 0); e != 0 {
		return nil, fmt.Errorf("io_setup: %w", e)
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("eventfd: %w", err), s.destroy())
	}
	s.number, s.done = uint32(fd), os.NewFile(uintptr(fd), "eventfd")
	return s, nil
}

// sync makes the contents of f durable.
func (s *syncer) sync(f *os.File) error {
	s.control = iocb{opcode: opFDSync, file: uint32(f.Fd())}
	n, begun, err := s.do(f, nil)
	switch {
	case !begun:
		return syncData(f)
	case err != nil:
		return fmt.Errorf("fdatasync: %w", err)
	case n != 0:
		return fmt.Errorf("fdatasync: result %d", n)
	}
	return nil
}

// write writes b to a place of f, which was opened with openDirect, and makes it
// durable. b, its length and the place must be aligned to directAlign. It reports
// false when nothing was begun: the file system does not do that after all.
func (s *syncer) write(f *os.File, b []byte, at int64) (begun bool, err error) {
	s.control = iocb{
		opcode: opWrite, writeFlags: flagDSync, file: uint32(f.Fd()),
		buffer: uintptr(unsafe.Pointer(unsafe.SliceData(b))), size: uint64(len(b)), offset: at,
	}
	n, begun, err := s.do(f, b)
	switch {
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return false, nil // refused before anything was written
	case err != nil:
		return begun, fmt.Errorf("writing %d bytes: %w", len(b), err)
	case begun && n != int64(len(b)):
		return true, fmt.Errorf("%d bytes of %d were written", n, len(b))
	}
	return begun, nil
}

// do has the kernel do what control says, and waits for it. It reports false
// when nothing was begun: a file system that cannot, or no memory. b is what is
// read meanwhile.
func (s *syncer) do(f *os.File, b []byte) (result int64, begun bool, err error) {
	defer runtime.KeepAlive(s)
	defer runtime.KeepAlive(f)
	defer runtime.KeepAlive(b)
	s.control.flags, s.control.eventFD = flagOfEventFD, s.number
	s.list[0] = &s.control
	if _, _, e := unix.Syscall(unix.SYS_IO_SUBMIT, s.context, 1, uintptr(unsafe.Pointer(&s.list))); e != 0 {
		return 0, false, nil
	}
	var count [8]byte
	if _, err := s.done.Read(count[:]); err != nil {
		return 0, true, fmt.Errorf("waiting for the disk: %w", err)
	}
	if n := binary.NativeEndian.Uint64(count[:]); n != 1 {
		return 0, true, fmt.Errorf("%d calls have ended, want 1", n)
	}
	var event ioEvent
	for {
		n, _, e := unix.Syscall6(unix.SYS_IO_GETEVENTS, s.context, 1, 1, uintptr(unsafe.Pointer(&event)), 0, 0)
		switch {
		case e == unix.EINTR:
			continue
		case e != 0:
			return 0, true, fmt.Errorf("io_getevents: %w", e)
		case n != 1:
			return 0, true, fmt.Errorf("io_getevents: %d events, want 1", n)
		case event.result < 0:
			return 0, true, unix.Errno(-event.result)
		}
		return event.result, true, nil
	}
}

// openDirect opens a file so that what is written goes to the disk and not into
// the kernel's memory, where it would have to be copied to and fetched from.
func openDirect(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_WRONLY|unix.O_DIRECT, 0)
}

// close waits for what is under way.
func (s *syncer) close() error { return errors.Join(s.destroy(), s.done.Close()) }

func (s *syncer) destroy() error {
	if _, _, e := unix.Syscall(unix.SYS_IO_DESTROY, s.context, 0, 0); e != 0 {
		return fmt.Errorf("io_destroy: %w", e)
	}
	return nil
}
