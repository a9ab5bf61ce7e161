package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"postern/auth"
	"postern/engine"
	"postern/engine/script"
)

func serveCommand(s streams) *cobra.Command {
	srv := &server{}
	var cert, key string
	var proxies []string
	var groupScripts bool
	var memory, keep int
	var mails mailSettings
	var identity micSettings
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the apps of a data directory",
		Long: `Serve the apps of a data directory.

The console, a page for browsers, has an address of its own (--console); operators
log in to it.

The first start on an empty directory makes an app and an operator and prints
their secrets, once. They can be given instead, each in an environment variable
or in a file that NAME_FILE names: POSTERN_APP_KEY, POSTERN_APP_SECRET,
POSTERN_MASTER_SECRET, POSTERN_OPERATOR_EMAIL, POSTERN_OPERATOR_PASSWORD.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(cmd, s.err)
			if err != nil {
				return err
			}
			srv.dir, _ = cmd.Flags().GetString("data")
			if (cert == "") != (key == "") {
				return usageError{errors.New("--tls-cert and --tls-key go together")}
			}
			if cert != "" {
				if srv.certificates, err = engine.LoadCertificates(cert, key); err != nil {
					return err
				}
			}
			for _, text := range proxies {
				p, err := proxy(text)
				if err != nil {
					return usageError{fmt.Errorf("--trusted-proxy %q: want an address or a prefix such as 10.0.0.0/8", text)}
				}
				srv.config.TrustedProxies = append(srv.config.TrustedProxies, p)
			}
			if groupScripts {
				if srv.config.Scripts, err = scripts(); err != nil {
					return err
				}
				if !script.Limited {
					log.Warn("the memory of scripts is not bounded on this platform, only their time")
				}
			}
			if err := mails.configure(srv, log); err != nil {
				return err
			}
			if err := identity.configure(srv); err != nil {
				return err
			}
			srv.config.Throttle = auth.DefaultLimits
			if memory < 1 {
				return usageError{errors.New("--value-memory is in MiB, from 1")}
			}
			srv.config.ValueMemory = memory << 20
			if keep < 0 {
				return usageError{errors.New("--audit-keep is a number of days, 0 for ever")}
			}
			if srv.config.AuditKeep = keep; keep == 0 {
				srv.config.AuditKeep = -1
			}
			srv.config.Quota = auth.DefaultQuota
			srv.prepare = func(e *engine.Engine) error { return firstStart(s, e) }
			srv.ready = func(_, console string) error {
				if console == "" {
					return nil
				}
				_, err := fmt.Fprintf(s.out, "The console is at %s\n", console)
				return err
			}
			return srv.run(log)
		},
	}
	f := c.Flags()
	f.StringVar(&srv.listen, "listen", "127.0.0.1:8080", "address to listen on")
	f.StringVar(&cert, "tls-cert", "", "certificate file (PEM); read again on HUP")
	f.StringVar(&key, "tls-key", "", "key file (PEM)")
	f.StringSliceVar(&proxies, "trusted-proxy", nil, "address or prefix of a proxy whose X-Forwarded-For is believed (repeat)")
	f.BoolVar(&srv.insecure, "insecure-http", false, "plain HTTP on an address that is not loopback")
	f.BoolVar(&groupScripts, "group-scripts", false, "run any JavaScript in _group, in processes with bounds")
	f.IntVar(&memory, "value-memory", 256, "MiB of entities held in memory; what is beyond is read in place from files")
	f.IntVar(&keep, "audit-keep", 400, "days for which records of the audit are kept; 0: for ever")
	srv.console.flags(c)
	mails.flags(f)
	identity.flags(f)
	f.BoolVar(&srv.options.AcceptLoss, "accept-loss", false, "start although acknowledged writes are missing")
	return c
}

// proxy reads an address or a prefix of addresses.
func proxy(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	return netip.ParsePrefix(text)
}

// given returns a secret from the environment or from the file named there.
func given(name string) (string, error) {
	file := os.Getenv(name + "_FILE")
	if file == "" {
		return os.Getenv(name), nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s_FILE: %w", name, err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// firstStart makes the first app and operator of an empty store. What was made
// up is printed; what was given is not.
func firstStart(s streams, e *engine.Engine) error {
	if e.HasApps() {
		return nil
	}
	var values [5]string
	for i, name := range []string{"POSTERN_APP_KEY", "POSTERN_APP_SECRET", "POSTERN_MASTER_SECRET", "POSTERN_OPERATOR_EMAIL", "POSTERN_OPERATOR_PASSWORD"} {
		var err error
		if values[i], err = given(name); err != nil {
			return err
		}
	}
	email, password := values[3], values[4]
	if email == "" {
		email = "operator@localhost"
	}
	shown := password
	if password == "" {
		password = auth.NewSecret(e.Random())
		shown = password
	} else {
		shown = "(as given)"
	}
	if err := e.CreateOperator(email, password); err != nil {
		return err
	}
	made, err := e.CreateApp(engine.NewApp{
		Key: values[0], AppSecret: values[1], MasterSecret: values[2], Name: "My App",
		Options: engine.AppOptions{PasswordPolicy: true},
	})
	if err != nil {
		return err
	}
	show := func(given, secret string) string {
		if given != "" {
			return "(as given)"
		}
		return secret
	}
	_, err = fmt.Fprintf(s.out, `This is the first start. The following is shown once and kept as hashes only:

  app key            %s
  app secret         %s
  master secret      %s
  operator           %s
  operator password  %s

`, made.Key, show(values[1], made.AppSecret), show(values[2], made.MasterSecret), email, shown)
	return err
}
