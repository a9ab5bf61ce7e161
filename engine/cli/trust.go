package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func trustCommand(s streams) *cobra.Command {
	var install bool
	var instance string
	c := &cobra.Command{
		Use:   "trust",
		Short: "How clients come to trust the certificate of postern dev --tls",
		Long: `Print how clients come to trust the certificate authority of "postern dev
--tls", and how SDKs that have fixed hosts find the server. The authority is
made if there is none. It is kept in the user's configuration, or with --data
DIR in DIR/ca, and can sign for localhost, 127.0.0.0/8, ::1 and ` + sdkDomain + ` only.

--install adds it to what this machine trusts, where that can be done.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, _ := cmd.Flags().GetString("data")
			dir, err := authorityDir(data, cmd.Flags().Changed("data"))
			if err != nil {
				return err
			}
			a, err := openAuthority(dir, time.Now())
			if err != nil {
				return err
			}
			steps := installation(runtime.GOOS, a, isDirectory)
			if install {
				return installAuthority(s, steps, os.Geteuid() == 0)
			}
			_, err = fmt.Fprint(s.out, recipe(a, instance, steps))
			return err
		},
	}
	f := c.Flags()
	f.BoolVar(&install, "install", false, "add the authority to what this machine trusts")
	f.StringVar(&instance, "instance", "dev", "instance id of the SDK, the first part of its host names")
	return c
}

// recipe says what to do, in lines that can be copied.
func recipe(a *authority, instance string, steps []step) string {
	var b strings.Builder
	fmt.Fprintf(&b, `certificate authority  %s
SHA-256                %s
it can sign for        localhost, 127.0.0.0/8, ::1, %s

Node.js, for the processes of this shell:

export NODE_EXTRA_CA_CERTS=%s

curl:

curl --cacert %[4]s https://localhost:8080/appdata

`, a.certFile(), a.fingerprint(), sdkDomain, quote(a.certFile()))
	b.WriteString("everything on this machine (postern trust --install does it):\n\n")
	if steps == nil {
		b.WriteString("no way is known here; import the file by hand\n")
	}
	for _, st := range steps {
		fmt.Fprintln(&b, st)
	}
	fmt.Fprintf(&b, `
SDKs with fixed hosts, with the instance id %[1]q: these lines in the hosts file

127.0.0.1 %[1]s-baas.%[2]s %[1]s-auth.%[2]s %[1]s-manage.%[2]s

and the server on the port that they use:

postern dev --tls --listen 127.0.0.1:443
`, instance, sdkDomain)
	return b.String()
}

// A step is a command of an installation.
type step struct {
	root bool // it needs the rights of the administrator
	args []string
}

func (st step) String() string {
	words := make([]string, len(st.args))
	for i, word := range st.args {
		words[i] = quote(word)
	}
	line := strings.Join(words, " ")
	if st.root {
		line = "sudo " + line
	}
	return line
}

// quote writes a word as a shell reads it.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:=", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// installation returns the commands that add an authority to what a system
// trusts, nil if none are known.
func installation(system string, a *authority, isDir func(string) bool) []step {
	name := "postern-" + a.fingerprint()[:8] + ".crt"
	switch system {
	case "darwin":
		return []step{{true, []string{"security", "add-trusted-cert", "-d", "-r", "trustRoot", "-p", "ssl",
			"-k", "/Library/Keychains/System.keychain", a.certFile()}}}
	case "windows":
		return []step{{false, []string{"certutil", "-user", "-addstore", "Root", a.certFile()}}}
	case "linux":
		for _, store := range []struct{ dir, update string }{
			{"/usr/local/share/ca-certificates", "update-ca-certificates"}, // Debian, Alpine
			{"/etc/pki/ca-trust/source/anchors", "update-ca-trust"},        // Fedora
			{"/etc/ca-certificates/trust-source/anchors", "update-ca-trust"},
		} {
			if isDir(store.dir) {
				return []step{
					{true, []string{"install", "-m", "0644", a.certFile(), filepath.Join(store.dir, name)}},
					{true, []string{store.update}},
				}
			}
		}
	}
	return nil
}

// installAuthority runs the steps. Without the rights that they need it says
// what the administrator has to run.
func installAuthority(s streams, steps []step, root bool) error {
	if steps == nil {
		return errors.New("no way to install a certificate authority is known here; see postern trust")
	}
	for _, st := range steps {
		if st.root && !root {
			var lines []string
			for _, st := range steps {
				lines = append(lines, st.String())
			}
			return fmt.Errorf("the administrator's rights are needed; run\n\n%s", strings.Join(lines, "\n"))
		}
	}
	for _, st := range steps {
		cmd := exec.Command(st.args[0], st.args[1:]...)
		cmd.Stdout, cmd.Stderr = s.out, s.err
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", st.args[0], err)
		}
	}
	_, err := fmt.Fprintln(s.out, "installed")
	return err
}

func isDirectory(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}
