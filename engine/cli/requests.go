package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"postern/engine"
)

const pollRequests = time.Second

func requestsCommand(s streams) *cobra.Command {
	var follow, failed bool
	var app string
	c := sub("requests", "List the last requests: address, status, who asked, and the decision with its rule", 0, func(c *client, _ *cobra.Command, _ []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		poll := time.NewTicker(pollRequests)
		defer poll.Stop()
		for after := int64(0); ; {
			var answer struct {
				Last int64
				List []*engine.LoggedRequest
			}
			v := url.Values{"after": {strconv.FormatInt(after, 10)}, "failed": {strconv.FormatBool(failed)}, "app": {app}}
			if err := c.call("GET", "/v4/requests?"+v.Encode(), nil, &answer); err != nil {
				return err
			}
			for _, q := range answer.List {
				if _, err := fmt.Fprintln(s.out, q.Line()); err != nil {
					return err
				}
			}
			after = answer.Last
			if !follow {
				return nil
			}
			select {
			case <-ctx.Done():
				return nil
			case <-poll.C:
			}
		}
	})
	c.Long = `List the last requests of a running server (the last 1,000), one a line: time,
method, path, status, milliseconds, who asked, and the last decision of the
request with its rule ("postern explain" tells more about it).

What was refused or failed is always there. What was served is noted while
somebody looks on: from this command's asking until 30 seconds later, so
--follow sees all of it.`
	f := c.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with what comes, until interrupted")
	f.BoolVar(&failed, "failed", false, "only what was refused or failed")
	f.StringVar(&app, "app", "", "only the requests of this `app`")
	return c
}

// A requestPrinter prints requests as they are answered. A terminal that stands
// still holds up nobody: what has no room is left out.
type requestPrinter struct {
	lines chan string
	quit  chan struct{}
	over  chan struct{}
}

func newRequestPrinter(w io.Writer) *requestPrinter {
	p := &requestPrinter{make(chan string, 1000), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(p.over)
		for {
			select {
			case line := <-p.lines:
				fmt.Fprintln(w, line)
				continue
			default:
			}
			select {
			case line := <-p.lines:
				fmt.Fprintln(w, line)
			case <-p.quit: // and nothing is left
				return
			}
		}
	}()
	return p
}

func (p *requestPrinter) print(q *engine.LoggedRequest) {
	select {
	case p.lines <- q.Line():
	default:
	}
}

// stop returns when all is printed, or soon.
func (p *requestPrinter) stop() {
	close(p.quit)
	select {
	case <-p.over:
	case <-time.After(time.Second):
	}
}
