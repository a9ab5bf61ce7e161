//go:build e2e

package saml_test

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const acs = "https://api.test/mic/acs"

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
