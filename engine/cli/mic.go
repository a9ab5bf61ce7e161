package cli

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"postern/auth"
)

// micSettings is how a server keeps and reaches identity providers.
type micSettings struct {
	keyFile  string
	networks []string
}

func (m *micSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&m.keyFile, "secret-key", "", "file with the key that seals the secrets of identity providers; made if it is missing; kept outside the data directory")
	f.StringSliceVar(&m.networks, "provider-network", nil, "private network in which identity providers may be reached by HTTP, such as 10.0.0.0/8 (repeat)")
}

func (m *micSettings) configure(srv *server) error {
	for _, text := range m.networks {
		p, err := proxy(text)
		if err != nil {
			return usageError{fmt.Errorf("--provider-network %q: want an address or a prefix such as 10.0.0.0/8", text)}
		}
		srv.config.ProviderNetworks = append(srv.config.ProviderNetworks, p)
	}
	if m.keyFile == "" {
		return nil // services whose providers have no secrets do without
	}
	key, err := sealKey(m.keyFile, srv.dir)
	srv.config.SealKey = key
	return err
}

// loopbackNetworks are where a development server may reach providers.
var loopbackNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// sealKey reads a key, 64 hexadecimal digits, from a file that is not in the data
// directory: who gets hold of a copy of that must not have both. A file that is
// not there is made.
func sealKey(file, dir string) (*auth.SealKey, error) {
	at, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	data, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(at, data+string(filepath.Separator)) {
		return nil, usageError{fmt.Errorf("--secret-key %s: the key is kept outside the data directory", file)}
	}
	b, err := os.ReadFile(at)
	if errors.Is(err, os.ErrNotExist) {
		return makeSealKey(at)
	}
	if err != nil {
		return nil, fmt.Errorf("--secret-key: %w", err)
	}
	key := new(auth.SealKey)
	raw, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(raw) != len(key) {
		return nil, fmt.Errorf("--secret-key %s: want 64 hexadecimal digits", file)
	}
	copy(key[:], raw)
	return key, nil
}

func makeSealKey(file string) (*auth.SealKey, error) {
	key := new(auth.SealKey)
	if _, err := io.ReadFull(rand.Reader, key[:]); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--secret-key: %w", err)
	}
	_, err = fmt.Fprintln(f, hex.EncodeToString(key[:]))
	return key, errors.Join(err, f.Sync(), f.Close())
}

func micCommand(s streams) *cobra.Command {
	show := func(method, kind string) func(*client, *cobra.Command, []string) error {
		return func(c *client, _ *cobra.Command, a []string) error {
			at := path(append([]string{"v4", kind}, a...)...)
			if method == "DELETE" {
				return c.call(method, at, nil, nil)
			}
			return c.show(s, method, at, nil)
		}
	}
	var id string
	set := sub("set FILE", "Make an auth service from a JSON file, - for standard input, or with --id change one", 1, func(c *client, cmd *cobra.Command, a []string) error {
		text, err := readFile(cmd.InOrStdin(), a[0])
		if err != nil {
			return err
		}
		if id == "" {
			return c.show(s, "POST", "/v4/auth-services", text)
		}
		return c.show(s, "PUT", path("v4", "auth-services", id), text)
	})
	set.Flags().StringVar(&id, "id", "", "the service to be changed")
	return parent("mic", "Mobile Identity Connect: identity providers and how apps use them",
		parent("store", "Identity stores, whose auth services environments share",
			sub("create NAME", "Make an identity store", 1, func(c *client, _ *cobra.Command, a []string) error {
				return c.show(s, "POST", "/v4/identity-stores", map[string]string{"name": a[0]})
			}),
			sub("list", "List the identity stores", 0, show("GET", "identity-stores")),
			sub("delete ID", "Delete an identity store without auth services", 1, show("DELETE", "identity-stores"))),
		parent("service", "Auth services: one identity provider each",
			set,
			sub("list", "List the auth services, without their secrets", 0, show("GET", "auth-services")),
			sub("show ID", "Show an auth service, without its secrets", 1, show("GET", "auth-services")),
			sub("delete ID", "Delete an auth service; who was logged in by it is out", 1, show("DELETE", "auth-services"))),
		sub("use APP SERVICE", "Make an auth service the default of an app, with its identity store", 2, func(c *client, _ *cobra.Command, a []string) error {
			var service struct{ ID, IdentityStoreID string }
			if err := c.call("GET", path("v4", "auth-services", a[1]), nil, &service); err != nil {
				return err
			}
			settings := map[string]any{"defaultAuthServiceId": service.ID, "identityStoreId": service.IdentityStoreID}
			if service.IdentityStoreID == "" {
				settings["identityStoreId"] = nil
			}
			return c.call("PUT", environment(a[0]), settings, nil)
		}),
		micTest(s))
}

// micTest walks a login step by step.
func micTest(s streams) *cobra.Command {
	var username string
	c := sub("test SERVICE", "Walk a login at an auth service step by step, and tell which step fails and why", 1, func(c *client, cmd *cobra.Command, a []string) error {
		body := map[string]string{"username": username}
		if username != "" {
			password, err := readSecret(cmd)
			if err != nil {
				return err
			}
			body["password"] = password
		}
		var out struct {
			OK    bool
			Error string
			Steps []struct {
				Step  string
				OK    bool
				Error string
			}
		}
		if err := c.call("POST", path("v4", "auth-services", a[0], "test"), body, &out); err != nil {
			return err
		}
		for _, step := range out.Steps {
			mark := "ok    "
			if !step.OK {
				mark = "FAILED"
			}
			if step.Error != "" {
				step.Step += ": " + step.Error
			}
			if _, err := fmt.Fprintln(s.out, mark, step.Step); err != nil {
				return err
			}
		}
		if !out.OK {
			return errors.New(out.Error)
		}
		return nil
	})
	c.Flags().StringVar(&username, "username", "", "who logs in (LDAP and Active Directory); his password is read from standard input")
	return c
}

// readFile reads JSON from a file, or for - from standard input.
func readFile(in io.Reader, name string) (json.RawMessage, error) {
	var b []byte
	var err error
	if name == "-" {
		b, err = io.ReadAll(in)
	} else {
		b, err = os.ReadFile(name)
	}
	if err == nil && !json.Valid(b) {
		err = fmt.Errorf("%s is not JSON", name)
	}
	return b, err
}
