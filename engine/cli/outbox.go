package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"postern/engine"
)

// mailSettings is how a server sends mails.
type mailSettings struct{ publicURL, smtp, from string }

func (m *mailSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&m.publicURL, "public-url", "", "where clients reach this server; the beginning of links in mails")
	f.StringVar(&m.smtp, "smtp-url", "", "mail server, smtp://user:password@host:587 or smtps://...; better given as POSTERN_SMTP_URL")
	f.StringVar(&m.from, "mail-from", "", "sender of mails")
}

// configure sets up the mails of serve. Without a mail server they are written
// into the data directory; without a public URL there are none.
func (m *mailSettings) configure(srv *server, log *slog.Logger) error {
	if m.publicURL == "" {
		if m.smtp != "" {
			return usageError{errors.New("--smtp-url needs --public-url: links in mails are never made from what a client sends")}
		}
		log.Info("without --public-url nobody is sent a mail; postern user set-password helps who has lost his")
		return nil
	}
	u, err := url.Parse(m.publicURL)
	if err != nil {
		return usageError{fmt.Errorf("--public-url: %w", err)}
	}
	if u.Scheme == "http" && !engine.Loopback(u.Host) && !srv.insecure {
		return usageError{errors.New("--public-url: links that open accounts need https, or --insecure-http")}
	}
	srv.config.PublicURL, srv.config.MailFrom = m.publicURL, m.from
	if m.smtp == "" {
		srv.config.Mailer = engine.NewOutboxDir(filepath.Join(srv.dir, "outbox"))
		return nil
	}
	if m.from == "" {
		return usageError{errors.New("--smtp-url needs --mail-from")}
	}
	mailer, err := engine.ParseSMTP(m.smtp)
	if err != nil {
		return usageError{fmt.Errorf("--smtp-url: %w", err)}
	}
	srv.config.Mailer = mailer
	return nil
}

func outboxCommand(s streams) *cobra.Command {
	return parent("outbox", "Mails of an app that wait, or that were written because there is no mail server",
		sub("list APP", "List the mails", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0], "outbox"), nil)
		}),
		sub("show APP ID", "Print a mail that was written", 2, func(c *client, _ *cobra.Command, a []string) error {
			var m struct{ Mail string }
			if err := c.call("GET", environment(a[0], "outbox", a[1]), nil, &m); err != nil {
				return err
			}
			_, err := io.WriteString(s.out, m.Mail)
			return err
		}),
		sub("clear APP", "Forget the mails", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "DELETE", environment(a[0], "outbox"), nil)
		}),
	)
}
