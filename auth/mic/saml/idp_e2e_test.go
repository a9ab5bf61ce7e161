//go:build e2e

package saml_test

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/engine/clients/install"
)

const (
	idpEntity = "https://idp.test/entity"
	acs       = "https://api.test/mic/acs"
)

// An idp is SimpleSAMLphp, installed from the distribution and run by php's own
// server, with its configuration in a temporary directory.
type idp struct {
	t    *testing.T
	dir  string
	port int
	cmd  *exec.Cmd
	done chan struct{}
}

func startIDP(t *testing.T) *idp {
	install.Debian(t, "simplesamlphp", "php-cli", "php-xml", "php-mbstring")
	i := &idp{t: t, dir: t.TempDir()}
	for _, dir := range []string{"config", "tmp"} {
		if err := os.Mkdir(filepath.Join(i.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"config.php", "authsources.php", "saml20-idp-hosted.php"} {
		text, err := os.ReadFile(filepath.Join("testdata", "idp", name))
		if err != nil {
			t.Fatal(err)
		}
		i.write(filepath.Join("config", name), text)
	}
	for _, name := range []string{"a", "b"} {
		key, cert := keyPair(t)
		i.write(name+".key", key)
		i.write(name+".crt", cert)
	}
	i.keys("a", "")
	i.start()
	t.Cleanup(i.stop)
	return i
}

func (i *idp) write(name string, text []byte) {
	i.t.Helper()
	// Renamed, since the server may be reading it.
	path := filepath.Join(i.dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		i.t.Fatal(err)
	}
}

// keys says which key signs, and which is announced as the next one.
func (i *idp) keys(now, next string) {
	m := map[string]string{"now": now}
	if next != "" {
		m["next"] = next
	}
	text, _ := json.Marshal(m)
	i.write("keys.json", text)
}

func (i *idp) certificate(name string) string {
	text, err := os.ReadFile(filepath.Join(i.dir, name+".crt"))
	if err != nil {
		i.t.Fatal(err)
	}
	return string(text)
}

func (i *idp) base() string     { return fmt.Sprintf("http://127.0.0.1:%d/", i.port) }
func (i *idp) metadata() string { return i.base() + "saml2/idp/metadata.php" }

// start starts the server; the first time it finds itself a port, and tries again
// if somebody else takes it in between.
func (i *idp) start() {
	i.t.Helper()
	for attempt := 0; ; attempt++ {
		port := i.port
		if port == 0 {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				i.t.Fatal(err)
			}
			port = l.Addr().(*net.TCPAddr).Port
			l.Close()
		}
		if output := i.run(port); output == "" {
			i.port = port
			return
		} else if attempt == 5 {
			i.t.Fatalf("the identity provider does not start: %s", output)
		}
	}
}

// run returns what php has said if it did not start.
func (i *idp) run(port int) string {
	i.t.Helper()
	cmd := exec.Command("php", "-d", "session.save_path="+filepath.Join(i.dir, "tmp"), "-d", "display_errors=0",
		"-S", fmt.Sprintf("127.0.0.1:%d", port), "-t", "/usr/share/simplesamlphp/www")
	cmd.Dir = i.dir
	cmd.Env = append(install.Environment(), "SIMPLESAMLPHP_CONFIG_DIR="+filepath.Join(i.dir, "config"),
		"IDP_DIR="+i.dir, fmt.Sprintf("IDP_BASE=http://127.0.0.1:%d/", port), "IDP_SALT=salt-of-a-test")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		install.Unavailable(i.t, "php", err, nil)
	}
	started, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		said := ""
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if said += lines.Text() + "\n"; strings.Contains(lines.Text(), ") started") {
				select {
				case started <- "":
				default:
				}
			}
		}
		_, _ = io.Copy(io.Discard, stderr) // behind a line that is too long
		_ = cmd.Wait()
		select {
		case started <- said + "(ended)":
		default:
		}
	}()
	select {
	case output := <-started:
		i.cmd, i.done = cmd, done
		return output
	case <-time.After(30 * time.Second):
		_ = cmd.Process.Kill()
		return "no word in 30 s"
	}
}

func (i *idp) stop() {
	if i.cmd != nil {
		_ = i.cmd.Process.Kill()
		<-i.done
		i.cmd = nil
	}
}

func keyPair(t *testing.T) (key, cert []byte) {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "e2e"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// A browser follows redirects and keeps cookies. The page it is on may have a form.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	page   string
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
}

func (b *browser) open(to string) { b.t.Helper(); b.take(b.client.Get(to)) }

func (b *browser) take(res *http.Response, err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at, b.page = res.Request.URL, string(text)
}

var (
	formTag  = regexp.MustCompile(`(?s)<form\b[^>]*>.*?</form>`)
	inputTag = regexp.MustCompile(`(?s)<input\b[^>]*>`)
	property = regexp.MustCompile(`(?s)\b(action|name|value)="([^"]*)"`)
)

func properties(tag string) map[string]string {
	p := map[string]string{}
	for _, m := range property.FindAllStringSubmatch(tag, -1) {
		p[m[1]] = html.UnescapeString(m[2])
	}
	return p
}

// form is the form of the page that has a field, and where it goes.
func (b *browser) form(field string) (action string, form url.Values) {
	b.t.Helper()
	for _, text := range formTag.FindAllString(b.page, -1) {
		form := url.Values{}
		for _, tag := range inputTag.FindAllString(text, -1) {
			if p := properties(tag); p["name"] != "" {
				form.Add(p["name"], p["value"])
			}
		}
		if !slices.Contains(keysOf(form), field) {
			continue
		}
		to, err := b.at.Parse(properties(text[:strings.IndexByte(text, '>')+1])["action"])
		if err != nil {
			b.t.Fatal(err)
		}
		return to.String(), form
	}
	b.t.Fatalf("no form with %s at %s:\n%s", field, b.at, b.page)
	return "", nil
}

func keysOf(v url.Values) (keys []string) {
	for k := range v {
		keys = append(keys, k)
	}
	return keys
}

// login fills in the provider's form.
func (b *browser) login(name, password string) {
	b.t.Helper()
	action, form := b.form("password")
	form.Set("username", name)
	form.Set("password", password)
	b.take(b.client.PostForm(action, form))
}

// back is the form that a script submits to us, seen to go to our address.
func (b *browser) back() url.Values {
	b.t.Helper()
	action, form := b.form("SAMLResponse")
	if action != acs {
		b.t.Fatalf("the response goes to %s", action)
	}
	return form
}
