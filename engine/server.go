package engine

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// A Server serves an engine over HTTP until it is stopped.
type Server struct {
	http *fasthttp.Server
	log  *slog.Logger

	mu        sync.Mutex // guards conns
	listeners []net.Listener
	conns     map[net.Conn]bool
	done      sync.WaitGroup
}

// The limits of a connection. ReadTimeout is for the whole of a request, which
// is what ends a client that sends it a byte at a time.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
	headerBuffer = 256 << 10 // lists of ids make long request lines
	concurrency  = 2048      // bounds the memory of the header buffers, too

	consoleWriteTimeout = 10 * time.Minute // a backup goes through it
)

// NewServer makes a server for the public routes of the engine, or for those
// of the administration socket.
func NewServer(e *Engine, admin bool) *Server {
	if !admin {
		return newServer(e, e.Handler(), connectionError)
	}
	s := newServer(e, e.AdminHandler(), connectionError)
	s.http.WriteTimeout = 0 // a backup takes as long as it takes
	return s
}

// NewConsoleServer makes a server for the console.
func NewConsoleServer(e *Engine) *Server {
	s := newServer(e, e.ConsoleHandler(), func(ctx *fasthttp.RequestCtx, err error) {
		connectionError(ctx, err)
		consoleHeaders(ctx)
	})
	s.http.WriteTimeout = consoleWriteTimeout
	return s
}

func newServer(e *Engine, handler fasthttp.RequestHandler, failed func(*fasthttp.RequestCtx, error)) *Server {
	s := &Server{log: e.config.Logger, conns: map[net.Conn]bool{}}
	s.http = &fasthttp.Server{
		Handler:                       handler,
		ErrorHandler:                  failed,
		Name:                          "",
		NoDefaultServerHeader:         true,
		ReadTimeout:                   readTimeout,
		WriteTimeout:                  writeTimeout,
		IdleTimeout:                   idleTimeout,
		ReadBufferSize:                headerBuffer,
		WriteBufferSize:               writeBuffer,
		MaxRequestBodySize:            max(e.config.MaxBody, e.config.MaxArray),
		StreamRequestBody:             true, // see body.go
		Concurrency:                   concurrency,
		TCPKeepalive:                  true,
		CloseOnShutdown:               true,
		SecureErrorLogMessage:         true,
		DisablePreParseMultipartForm:  true,
		NoDefaultContentType:          true,
		DisableHeaderNamesNormalizing: false,
		Logger:                        connectionLog{e.config.Logger},
		ConnState:                     s.track,
	}
	return s
}

// connectionError answers what fasthttp refuses before a handler sees it, in
// the form of every other error.
func connectionError(ctx *fasthttp.RequestCtx, err error) {
	k := errBadRequest
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		k = errTooLarge
	case errors.As(err, &small):
		k = errHeaders
		if requestLineTooLong(ctx.Conn()) {
			k = errURITooLong
		}
	case errors.As(err, &timeout) && timeout.Timeout():
		k = errTimeout
	}
	w := errorTable[k]
	ctx.ResetBody()
	ctx.SetStatusCode(w.status)
	ctx.Response.Header.Set("Content-Type", jsonType)
	ctx.SetBody(appendError([]byte(`{"error":`), w, ""))
	ctx.SetConnectionClose()
}

// connectionLog takes fasthttp's own messages. They quote what a client sent,
// his token where he has mistyped a header, so only that there was one is told.
type connectionLog struct{ log *slog.Logger }

func (l connectionLog) Printf(string, ...any) { l.log.Debug("a connection failed") }

// track remembers open connections: fasthttp cannot close the ones that are in
// the middle of a request.
func (s *Server) track(c net.Conn, state fasthttp.ConnState) {
	switch state {
	case fasthttp.StateNew:
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
	case fasthttp.StateClosed, fasthttp.StateHijacked:
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}
}

// Serve accepts connections in the background until Stop. A listener that
// fails is reported through failed.
func (s *Server) Serve(l net.Listener, failed func(error)) {
	s.mu.Lock()
	s.listeners = append(s.listeners, l)
	s.mu.Unlock()
	s.done.Go(func() {
		if err := s.http.Serve(newListener(l)); err != nil && !errors.Is(err, net.ErrClosed) {
			failed(fmt.Errorf("serving %s: %w", l.Addr(), err))
		}
	})
}

// Stop stops accepting, lets requests that are being served end within the
// grace, then closes what is left.
func (s *Server) Stop(grace time.Duration) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = s.http.Shutdown() // waits for open connections
	}()
	select {
	case <-over:
	case <-time.After(grace):
	}
	s.closeConns()
	<-over
	// A Serve that had not begun to accept is not known to Shutdown.
	s.mu.Lock()
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
	s.closeConns()
}

func (s *Server) closeConns() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// Listen opens a TCP listener. certificates is nil for plain HTTP, which is
// refused off the loopback interface unless insecure is set: credentials would
// cross the network in clear.
func Listen(address string, certificates *Certificates, insecure bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w", address, err)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return nil, fmt.Errorf("listen address %q: the port must be a number", address)
	}
	if certificates == nil && !insecure && !Loopback(host) {
		return nil, fmt.Errorf("%s is not a loopback address: give --tls-cert and --tls-key, or --insecure-http to send passwords in clear", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if certificates == nil {
		return l, nil
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: certificates.get,
	}), nil
}

// Certificates is a certificate and key in files that can be read again while
// serving.
type Certificates struct {
	certFile, keyFile string

	mu      sync.RWMutex // guards current
	current *tls.Certificate
}

// LoadCertificates reads the files.
func LoadCertificates(certFile, keyFile string) (*Certificates, error) {
	c := &Certificates{certFile: certFile, keyFile: keyFile}
	return c, c.Reload()
}

// Reload reads the files again; on error the old certificate stays.
func (c *Certificates) Reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("loading the certificate: %w", err)
	}
	c.mu.Lock()
	c.current = &pair
	c.mu.Unlock()
	return nil
}

func (c *Certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current, nil
}
