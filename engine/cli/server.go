package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"postern/engine"
	"postern/engine/store"
)

// grace is how long requests that are being served may take to end.
const grace = 5 * time.Second

// server is what dev and serve have in common.
type server struct {
	dir          string
	listen       string
	certificates *engine.Certificates
	insecure     bool
	console      consoleSettings
	options      store.Options
	config       engine.Config
	// ownLinks makes links in mails point at the address that is listened on.
	ownLinks bool
	// ready is called with the addresses when the server answers; console is ""
	// when there is none.
	ready func(url, console string) error
	// prepare is called with the engine before it answers anybody.
	prepare func(e *engine.Engine) error
}

// run serves until a signal or a failure. A second signal ends the process at
// once.
func (s *server) run(log *slog.Logger) (err error) {
	engine.PaceCollector()
	l, err := engine.Listen(s.listen, s.certificates, s.insecure)
	if err != nil {
		return err
	}
	defer l.Close()
	page, pageURL, err := s.console.open(s.certificates, s.insecure)
	if err != nil {
		return err
	}
	if page != nil {
		defer page.Close()
	}
	s.options.Logger = log
	driver, err := store.OpenBadger(s.dir, s.options)
	if err != nil {
		return fmt.Errorf("opening %s: %w", s.dir, err)
	}
	scheme := "http"
	if s.certificates != nil {
		scheme = "https"
	}
	url := scheme + "://" + l.Addr().String()
	if s.ownLinks {
		s.config.PublicURL = url
	}
	ended := make(chan error, 4)
	s.config.Driver = driver
	s.config.SnapshotDir = filepath.Join(s.dir, "snapshot")
	s.config.Logger, s.config.Version = log, Version
	s.config.OnFailure = func(err error) { ended <- err }
	e, err := engine.Open(s.config)
	if err != nil {
		return errors.Join(err, driver.Close())
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := s.prepare(e); err != nil {
		return err
	}
	admin, err := listenSocket(s.dir)
	if err != nil {
		return err
	}
	public, local := engine.NewServer(e, false), engine.NewServer(e, true)
	public.Serve(l, func(err error) { ended <- err })
	local.Serve(admin, func(err error) { ended <- err })
	servers := []*engine.Server{public, local}
	if page != nil {
		console := engine.NewConsoleServer(e)
		console.Serve(page, func(err error) { ended <- err })
		servers = append(servers, console)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err = s.ready(url, pageURL); err == nil {
		log.Info("serving", "url", url, "data", s.dir, "version", Version, "console", pageURL)
		err = s.wait(log, signals, ended)
	}
	go func() {
		for sig := range signals {
			if sig != syscall.SIGHUP {
				os.Exit(exitFailed)
			}
		}
	}()
	log.Info("stopping")
	for _, server := range servers {
		server.Stop(grace)
	}
	return err
}

// wait returns when the server is to end. HUP reads the certificate again.
func (s *server) wait(log *slog.Logger, signals <-chan os.Signal, ended <-chan error) error {
	for {
		select {
		case err := <-ended:
			return err
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return nil
			}
			if s.certificates == nil {
				continue
			}
			if err := s.certificates.Reload(); err != nil {
				log.Error("the old certificate stays", "error", err)
			} else {
				log.Info("certificate read again")
			}
		}
	}
}

// socketPath is where the administration socket of a data directory is. The
// path of a Unix socket has at most some hundred bytes; for a directory with a
// longer one it stands in a private directory of its own.
func socketPath(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "postern.sock")
	if len(path) <= 100 {
		return path, nil
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("postern-%d-%s", os.Getuid(), shortHash(dir)), "postern.sock"), nil
}

// listenSocket opens the administration socket. The store's lock on the
// directory has been taken before, so a socket that is there is a dead one.
func listenSocket(dir string) (net.Listener, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("opening the administration socket: %w", err)
	}
	// The directory is closed to others already; the mode says it again.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// dialSocket connects to the server of a data directory.
func dialSocket(ctx context.Context, dir string) (net.Conn, error) {
	path, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("no server runs on %s (%w)", dir, err)
	}
	return c, nil
}
