package engine

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// Whatever is sent to the token endpoint, the answer is one of OAuth's and no
// failure, and tokens are for who has shown the password: as other parsers than
// ours read what was sent.
func FuzzTokenRequest(f *testing.F) {
	const name, password = "ann", "an&n=s pass+word%"
	s := newFuzzed(f)
	s.e.config.PublicURL = "https://postern.example"
	if _, err := s.e.AddLocalService("kid_fuzz", "Fuzz", []string{"https://app.example/cb"}); err != nil {
		f.Fatal(err)
	}
	if status, body := s.do("POST", "/user/kid_fuzz", []byte(`{"username":"`+name+`","password":"`+password+`"}`)); status != 201 {
		f.Fatalf("%d %s", status, body)
	}
	right := url.Values{"grant_type": {"password"}, "username": {name}, "password": {password}}.Encode()
	for _, body := range []string{
		right, strings.TrimSuffix(right, "25&username=ann") + "&username=ann", right + "&client_id=kid_fuzz", right + "&password=x", strings.ToUpper(right), "grant_type=authorization_code&code=" + strings.Repeat("0", 40),
		"grant_type=refresh_token&refresh_token=" + strings.Repeat("f", 40), "grant_type=", "&&==&", "%", "a=%zz", "client_id=kid_fuzz.x",
	} {
		f.Add(body, false)
	}
	for _, body := range []string{
		`{"grant_type":"password","username":"ann","password":"an&n=s pass+word%"}`, `{"grant_type":"password","username":"ann","password":["an&n=s pass+word%"]}`,
		`{"grant_type":"password","username":"ann","password":"x","password":"an&n=s pass+word%"}`, `[]`, `{`, `null`, `{"grant_type":null}`,
	} {
		f.Add(body, true)
	}
	f.Fuzz(func(t *testing.T, body string, asJSON bool) {
		kind := "application/x-www-form-urlencoded"
		if asJSON {
			kind = "application/json"
		}
		for _, path := range []string{"/oauth/token", "/v3/oauth/token", "/oauth/revoke", "/oauth/auth"} {
			status, answer := s.do("POST", path, []byte(body), "Authorization", s.app, "Content-Type", kind)
			var v map[string]any
			if err := json.Unmarshal(answer, &v); err != nil || status >= 500 || (status >= 400) != (v["error"] != nil && v["error_description"] != nil) {
				t.Fatalf("%s %q: %d %s (%v)", path, body, status, answer, err)
			}
			if v["access_token"] == nil {
				continue
			}
			var shown string
			if asJSON {
				var m map[string]any
				if err := json.Unmarshal([]byte(body), &m); err != nil {
					t.Errorf("%s: tokens for %q: %v", path, body, err)
				}
				shown, _ = m["password"].(string)
			} else if q, err := url.ParseQuery(body); err == nil && len(q["password"]) == 1 {
				shown = q.Get("password")
			}
			if shown != password {
				t.Errorf("%s: tokens for the password %q", path, shown)
			}
		}
	})
}
