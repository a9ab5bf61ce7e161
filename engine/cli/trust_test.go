package cli_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// What postern trust prints leads clients to a development server with TLS: by
// the address, by its name, and by the hosts that are fixed in SDKs.
func TestTrustLeadsToDev(t *testing.T) {
	home := t.TempDir()
	env := []string{"XDG_CONFIG_HOME=" + home, "HOME=" + home, "AppData=" + home}
	told := postern(t, env, "", "trust", "--instance", "acme")
	if told.code != 0 || !strings.Contains(told.out, "127.0.0.1 acme-baas.kinvey.com acme-auth.kinvey.com") {
		t.Fatalf("%+v", told)
	}
	file := regexp.MustCompile(`export NODE_EXTRA_CA_CERTS=(\S+)`).FindStringSubmatch(told.out)
	if file == nil || !strings.HasPrefix(file[1], home) {
		t.Fatalf("%q in\n%s", file, told.out)
	}
	text, err := os.ReadFile(file[1])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)

	r := serve(t, env, "dev", "--tls")
	if !strings.HasPrefix(r.url, "https://") {
		t.Fatal(r.url)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(r.url, "https://"))
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}}
	for host, want := range map[string]int{
		"127.0.0.1": 200, "localhost": 200, "[::1]": 200, "acme-baas.kinvey.com": 200, "baas.kinvey.com": 200, "acme-auth.kinvey.com": 200,
		"example.com": 0, "a.b.kinvey.com": 0,
	} {
		a, err := client.Get("https://" + host + "/appdata")
		if err != nil {
			if want != 0 || !strings.Contains(err.Error(), "certificate") {
				t.Errorf("%s: %v", host, err)
			}
			continue
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, a.StatusCode, want)
		}
	}
	// Who does not look at the certificate is no better off by another name.
	for host, want := range map[string]int{"rebound.example.com": 400, "kinvey.com.example.com": 400, "notkinvey.com": 400, "x.kinvey.com:443": 200, "kinvey.com": 200} {
		req, err := http.NewRequest("GET", "https://localhost/appdata", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		a, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("Host %s: %d, want %d", host, a.StatusCode, want)
		}
	}
	if a, err := http.Get(r.url + "/appdata"); err == nil {
		a.Body.Close()
		t.Error("who does not trust the authority is served")
	}
	n := 0
	for line := range strings.Lines(r.text) {
		if strings.HasPrefix(line, "curl ") {
			n++
			if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil || !strings.ContainsAny(string(out), "[{") {
				t.Errorf("%s: %v %s", line, err, out)
			}
		}
	}
	if n != 4 {
		t.Errorf("%d curl lines in\n%s", n, r.text)
	}
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if again := postern(t, env, "", "trust", "--instance", "acme"); again.out != told.out {
		t.Errorf("it is another authority now:\n%s", again.out)
	}
}

// With --data the authority belongs to the data.
func TestTrustOfData(t *testing.T) {
	home, data := t.TempDir(), filepath.Join(t.TempDir(), "data dir")
	env := []string{"XDG_CONFIG_HOME=" + home, "HOME=" + home, "AppData=" + home}
	r := serve(t, env, "dev", "--tls", "--data", data)
	r.stop(syscall.SIGTERM)
	told := postern(t, env, "", "trust", "--data", data)
	if told.code != 0 || !strings.Contains(told.out, "NODE_EXTRA_CA_CERTS='"+filepath.Join(data, "ca", "ca.pem")+"'") {
		t.Errorf("%+v", told)
	}
	if entries, err := os.ReadDir(home); err != nil || len(entries) != 0 {
		t.Errorf("something is in the user's configuration: %v %v", entries, err)
	}
	if a := postern(t, env, "", "check", "--data", data); a.code != 0 {
		t.Errorf("%+v", a)
	}
	if a := postern(t, env, "", "trust", "--nonsense"); a.code != 2 {
		t.Errorf("%+v", a)
	}
}
