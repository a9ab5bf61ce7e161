package cli

import (
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"postern/engine"
	"postern/engine/console"
)

// usualConsole is where the console is when nobody says otherwise. When something else
// is there, it is on a free port.
const usualConsole = "127.0.0.1:8081"

// consoleSettings is where dev and serve have the console.
type consoleSettings struct {
	command *cobra.Command
	address string
	// certified makes the console use the server's certificate on the loopback
	// interface, too. Others have one for the names of their public address only.
	certified bool
	// loopback refuses every other address.
	loopback bool
}

func (s *consoleSettings) flags(c *cobra.Command) {
	s.command = c
	c.Flags().StringVar(&s.address, "console", usualConsole, "address of the console, or off; a free port when the default is taken")
}

// open opens the listener of the console and returns the address of its page; no
// listener and "" when there is to be none.
func (s *consoleSettings) open(certificates *engine.Certificates, insecure bool) (net.Listener, string, error) {
	chosen := s.command.Flags().Changed("console")
	switch {
	case s.address == "off":
		return nil, "", nil
	case console.Files() == nil && chosen:
		return nil, "", usageError{fmt.Errorf("--console %s: this binary was built without the console", s.address)}
	case console.Files() == nil:
		return nil, "", nil
	}
	host := s.address[:max(strings.LastIndex(s.address, ":"), 0)]
	if s.loopback && !engine.Loopback(host) {
		return nil, "", usageError{fmt.Errorf("--console %s: dev serves the loopback interface only; its secrets are known to everybody", s.address)}
	}
	if engine.Loopback(host) && !s.certified {
		certificates = nil
	}
	l, err := engine.Listen(s.address, certificates, insecure)
	if err != nil && !chosen {
		l, err = engine.Listen("127.0.0.1:0", certificates, insecure)
	}
	if err != nil {
		return nil, "", fmt.Errorf("the console: %w", err)
	}
	scheme := "http"
	if certificates != nil {
		scheme = "https"
	}
	return l, scheme + "://" + l.Addr().String() + "/-/console/", nil
}
