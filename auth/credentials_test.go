package auth

import (
	"encoding/base64"
	"strings"
	"testing"
)

const exampleToken = "0a8368d7-cbb8-473d-8fec-a1f7f50b764b.X0KQYoRCFEdyBW9WIP/RpzYBrmyraGA5u9cEHprUGk8="

func TestParseAuthorization(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	basic := func(name, password string) Credentials {
		return Credentials{Scheme: Basic, Name: name, Password: password}
	}
	session := Credentials{Scheme: Session, Token: exampleToken}
	for _, test := range []struct {
		name, header string
		want         Credentials
		malformed    bool
	}{
		{"no header is no credentials", "", Credentials{}, false},
		{"only spaces is no credentials", " \t ", Credentials{}, false},
		{"the guide's Basic example", "Basic bXlVc2VybmFtZTpteVBhc3N3b3Jk", basic("myUsername", "myPassword"), false},
		{"the guide's token example", "Kinvey " + exampleToken, session, false},
		{"the scheme has no case", "bAsIc " + b64("u:p"), basic("u", "p"), false},
		{"the session scheme has no case", "KINVEY " + exampleToken, session, false},
		{"more than one space is tolerated", "  Kinvey \t  " + exampleToken + "  ", session, false},
		{"the password may contain colons", "Basic " + b64("u:p:q:"), basic("u", "p:q:"), false},
		{"the password may be empty", "Basic " + b64("u:"), basic("u", ""), false},
		{"text is UTF-8", "Basic " + b64("zoë:påss"), basic("zoë", "påss"), false},
		{"a name is needed", "Basic " + b64(":p"), Credentials{}, true},
		{"a colon is needed", "Basic " + b64("up"), Credentials{}, true},
		{"not UTF-8", "Basic " + b64("u:\xff"), Credentials{}, true},
		{"not base64", "Basic dTpw*", Credentials{}, true},
		{"padding is needed", "Basic dTo", Credentials{}, true},
		{"line break inside", "Basic dT\npw", Credentials{}, true},
		{"two values", "Basic dTpw dTpw", Credentials{}, true},
		{"scheme alone", "Basic", Credentials{}, true},
		{"session scheme alone", "Kinvey ", Credentials{}, true},
		{"no scheme", exampleToken, Credentials{}, true},
		{"unknown scheme", "Bearer " + exampleToken, Credentials{}, true},
		{"scheme is a prefix only", "KinveyMFA " + exampleToken, Credentials{}, true},
		{"token cut short", "Kinvey " + exampleToken[:80], Credentials{}, true},
		{"token with a tail", "Kinvey " + exampleToken + "A", Credentials{}, true},
		{"token in upper case", "Kinvey " + strings.ToUpper(exampleToken[:36]) + exampleToken[36:], Credentials{}, true},
		{"token of another UUID version", "Kinvey " + strings.Replace(exampleToken, "-473d", "-173d", 1), Credentials{}, true},
		{"other spelling of the same bytes", "Kinvey " + strings.Replace(exampleToken, "Gk8=", "Gk9=", 1), Credentials{}, true},
		{"too long", "Basic " + b64("u:"+strings.Repeat("p", maxHeaderBytes)), Credentials{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := ParseAuthorization([]byte(test.header))
			if (err != nil) != test.malformed || got != test.want {
				t.Errorf("ParseAuthorization(%q) = %+v, %v; want %+v, malformed %t", test.header, got, err, test.want, test.malformed)
			}
		})
	}
}

func TestParsedCredentialsAreCopies(t *testing.T) {
	for _, header := range []string{"Kinvey " + exampleToken, "Basic bXlVc2VybmFtZTpteVBhc3N3b3Jk"} {
		b := []byte(header)
		got, err := ParseAuthorization(b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range b { // the HTTP library reuses the buffer for the next request
			b[i] = 'x'
		}
		if again, _ := ParseAuthorization([]byte(header)); got != again {
			t.Errorf("credentials of %q changed with the buffer: %+v", header, got)
		}
	}
}

func TestLongestNameAndPasswordFitTheHeader(t *testing.T) {
	name, password := strings.Repeat("n", MaxUsernameBytes), strings.Repeat("p", MaxPasswordBytes)
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
	if c, err := ParseAuthorization([]byte(header)); err != nil || c.Password != password {
		t.Errorf("longest credentials: %v", err)
	}
}

func FuzzParseAuthorization(f *testing.F) {
	for _, s := range []string{"", "Basic dTpw", "Basic ", "basic\tdTpwOnE=", "Kinvey " + exampleToken, "KinveyMFA x", "Bearer x",
		"Basic Og==", "Basic //86//8=", "Kinvey " + strings.Repeat("a", 81), " Basic  dTpw ", "Basic dTpw\r\nX: y"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, header []byte) {
		c, err := ParseAuthorization(header)
		if err != nil {
			if c != (Credentials{}) {
				t.Fatalf("error and credentials: %+v", c)
			}
			return
		}
		// What was understood, written in the one normal way, is understood the same.
		var normal string
		switch c.Scheme {
		case Session:
			normal = "Kinvey " + c.Token
		case Basic:
			if strings.Contains(c.Name, ":") || c.Name == "" {
				t.Fatalf("name %q", c.Name)
			}
			normal = "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Name+":"+c.Password))
		}
		if again, err := ParseAuthorization([]byte(normal)); err != nil || again != c {
			t.Fatalf("%q: %+v; written again as %q: %+v, %v", header, c, normal, again, err)
		}
	})
}
