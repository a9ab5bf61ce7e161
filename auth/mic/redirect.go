package mic

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// CheckRedirect tells whether a URI may be registered as one that browsers are
// sent to with a code: absolute, without fragment or user, and not of a scheme
// that would run as script or stay in the browser. https, http on the loopback
// interface, and the private schemes of apps (myapp://) may.
func CheckRedirect(uri string) error {
	if len(uri) > 2000 {
		return errors.New("a redirect URI has at most 2000 bytes")
	}
	for _, c := range []byte(uri) {
		if c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' || c == '>' {
			return errors.New("a redirect URI is printable ASCII without spaces, quotes, brackets and backslashes")
		}
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return errors.New("not a URI")
	case u.Scheme == "":
		return errors.New("a redirect URI is absolute")
	case u.User != nil:
		return errors.New("a redirect URI names no user")
	case strings.Contains(uri, "#"):
		return errors.New("a redirect URI has no fragment")
	}
	switch scheme := strings.ToLower(u.Scheme); scheme {
	case "https":
		if u.Hostname() == "" {
			return errors.New("a redirect URI has a host")
		}
	case "http":
		if !loopback(u.Hostname()) {
			return errors.New("http is for redirect URIs on the loopback interface; use https")
		}
	case "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem", "ws", "wss", "ftp", "mailto", "tel":
		return errors.New("scheme " + scheme + " cannot be redirected to")
	}
	return nil
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// Redirect returns the registered URI that a client means by uri: the very same
// text. Only where both are of http on the same loopback address the port is
// free, because native apps listen on whichever they get (RFC 8252 7.3); what
// is returned then is uri. ok is false when there is none.
func Redirect(registered []string, uri string) (to string, ok bool) {
	if slices.Contains(registered, uri) {
		return uri, true
	}
	if CheckRedirect(uri) != nil {
		return "", false
	}
	bare, free := withoutPort(uri)
	if !free {
		return "", false
	}
	for _, r := range registered {
		if other, free := withoutPort(r); free && other == bare {
			return uri, true
		}
	}
	return "", false
}

// withoutPort takes the port out of an http URI on a loopback address, and
// reports false for others. A name is no address: localhost may be anything.
func withoutPort(uri string) (bare string, ok bool) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" {
		return "", false
	}
	a, err := netip.ParseAddr(u.Hostname())
	if err != nil || !a.IsLoopback() {
		return "", false
	}
	rest, ok := strings.CutPrefix(uri, "http://"+u.Host)
	if !ok {
		return "", false // written in a way that two readers may take for two things
	}
	return "http://" + u.Hostname() + rest, true
}

// Back makes the URL that takes a browser back to the app. The values come
// behind what the redirect URI has in its query already.
func Back(to string, values url.Values) string {
	base, query, has := strings.Cut(to, "?")
	if has && query != "" {
		query += "&"
	}
	return base + "?" + query + values.Encode()
}
