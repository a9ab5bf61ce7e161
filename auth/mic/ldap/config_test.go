package ldap

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestConfigsThatAreRight(t *testing.T) {
	v := vouch(t, "127.0.0.1")
	pem, _ := json.Marshal(v.ca + "\n" + v.cert)
	for name, text := range map[string]string{
		"least":         `{"url":["ldaps://ldap.example.org"],"bindDn":"cn=svc,dc=example,dc=org","bindPassword":"x","baseDn":"dc=example,dc=org"}`,
		"StartTLS":      `{"url":["ldap://ldap.example.org:3890","ldap://[2001:db8::1]/"],"startTLS":true,"bindDn":"cn=svc","bindPassword":"x","baseDn":"dc=example,dc=org","caCertificates":` + string(pem) + `}`,
		"loopback":      `{"url":["ldap://127.0.0.1","ldap://[::1]:389","ldap://localhost"],"bindDn":"cn=svc","bindPassword":"x","baseDn":"dc=org"}`,
		"plain":         `{"url":["ldap://ldap.example.org"],"allowPlain":true,"bindDn":"cn=svc","bindPassword":"x","baseDn":"dc=org"}`,
		"template":      `{"url":["ldaps://l"],"userDnTemplate":"uid={username},ou=people,dc=example,dc=org"}`,
		"template part": `{"url":["ldaps://l"],"userDnTemplate":"uid=x-{username}\\, y,ou=people,dc=example,dc=org","userFilter":"(memberOf=cn=app,dc=org)"}`,
		"all": `{"url":["ldaps://l"],"bindDn":"cn=svc","bindPassword":"x","baseDn":"dc=org","userFilter":"(|(uid={username})(mail={username}))","subjectAttribute":"nsUniqueId",
			"attributes":["mail","cn;lang-en"],"disabledFilter":"(loginShell=/sbin/nologin)","groupBaseDn":"ou=g,dc=org","groupFilter":"(|(member={dn})(memberUid={uid}))","groupAttribute":"dn","nestedGroups":true,"timeout":60}`,
		"memberOf":         `{"url":["ldaps://l"],"bindDn":"cn=svc","bindPassword":"x","baseDn":"dc=org","groupsByMemberOf":true,"groupFilter":"(objectClass=groupOfNames)"}`,
		"no groups":        `{"url":["ldaps://l"],"bindDn":"cn=svc","bindPassword":"x","baseDn":"dc=org","noGroups":true}`,
		"AD":               `{"url":["ldaps://dc"],"activeDirectory":true,"domain":"corp.example.com"}`,
		"AD, service":      `{"url":["ldaps://dc"],"activeDirectory":true,"bindDn":"svc@corp.example.com","bindPassword":"x","baseDn":"DC=corp","netbiosDomain":"CORP","nestedGroups":true}`,
		"AD, usual filter": `{"url":["ldaps://dc"],"activeDirectory":true,"domain":"corp.example.com","userFilter":"(&(objectClass=user)(sAMAccountName={username}))"}`,
	} {
		var c Config
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := New(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var again Config
		if err := json.Unmarshal(out, &again); err != nil || fmt.Sprint(again) != fmt.Sprint(c) {
			t.Errorf("%s: written and read again it is %v", name, again)
		}
	}
}

func TestConfigsThatAreWrong(t *testing.T) {
	base := func(c *Config) {
		*c = Config{URL: []string{"ldaps://ldap.example.org"}, BindDN: "cn=svc,dc=org", BindPassword: "s3cret", BaseDN: "dc=org"}
	}
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string // the message begins so
	}{
		{"no url", func(c *Config) { c.URL = nil }, "url: "},
		{"too many urls", func(c *Config) { c.URL = strings.Split(strings.Repeat("ldaps://l ", 11), " ")[:11] }, "url: "},
		{"http", func(c *Config) { c.URL[0] = "https://ldap.example.org" }, "url: "},
		{"ldapi", func(c *Config) { c.URL[0] = "ldapi:///run/slapd" }, "url: "},
		{"no host", func(c *Config) { c.URL[0] = "ldaps://" }, "url: "},
		{"opaque", func(c *Config) { c.URL[0] = "ldaps:ldap.example.org" }, "url: "},
		{"a path", func(c *Config) { c.URL[0] = "ldaps://l/dc=org" }, "url: "},
		{"a query", func(c *Config) { c.URL[0] = "ldaps://l?uid" }, "url: "},
		{"port 0", func(c *Config) { c.URL[0] = "ldaps://l:0" }, "url: "},
		{"port 65536", func(c *Config) { c.URL[0] = "ldaps://l:65536" }, "url: "},
		{"a password in the url", func(c *Config) { c.URL[0] = "ldaps://svc:s3cret@l" }, "url: "},
		{"plain", func(c *Config) { c.URL[0] = "ldap://ldap.example.org" }, "url: ldap://ldap.example.org:389 would carry passwords in plain text"},
		{"plain to what looks like loopback", func(c *Config) { c.URL[0] = "ldap://127.0.0.1.example.org" }, "url: "},
		{"plain to localhost of a domain", func(c *Config) { c.URL[0] = "ldap://localhost.example.org" }, "url: "},
		{"StartTLS in TLS", func(c *Config) { c.StartTLS = true }, "startTLS: "},
		{"certificates", func(c *Config) { c.CACertificates = "trust me" }, "caCertificates: "},
		{"a key", func(c *Config) { c.CACertificates = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }, "caCertificates: "},
		{"a broken certificate", func(c *Config) { c.CACertificates = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }, "caCertificates: "},
		{"many certificates", func(c *Config) { c.CACertificates = strings.Repeat("x", maxPEM+1) }, "caCertificates: "},
		{"timeout", func(c *Config) { c.Timeout = 61 }, "timeout: "},
		{"negative timeout", func(c *Config) { c.Timeout = -1 }, "timeout: "},
		{"bindDn without password: an unauthenticated bind", func(c *Config) { c.BindPassword = "" }, "bindDn and bindPassword: "},
		{"password without bindDn", func(c *Config) { c.BindDN = "" }, "bindDn and bindPassword: "},
		{"NUL in bindPassword", func(c *Config) { c.BindPassword = "s3cret\x00" }, "bindDn and bindPassword: "},
		{"bindDn", func(c *Config) { c.BindDN = "svc" }, "bindDn: "},
		{"nobody to search", func(c *Config) { c.BindDN, c.BindPassword = "", "" }, "bindDn: "},
		{"no baseDn", func(c *Config) { c.BaseDN = "" }, "baseDn: "},
		{"baseDn", func(c *Config) { c.BaseDN = "example.org" }, "baseDn: "},
		{"userFilter without a name", func(c *Config) { c.UserFilter = "(uid=alice)" }, "userFilter: "},
		{"userFilter open", func(c *Config) { c.UserFilter = "(uid={username}" }, "userFilter: "},
		{"userFilter with another place", func(c *Config) { c.UserFilter = "(&(uid={username})(member={dn}))" }, "userFilter: "},
		{"userFilter with a rule", func(c *Config) { c.UserFilter = "(uid:caseExactMatch:={username})" }, "userFilter: "},
		{"userFilter that is long", func(c *Config) { c.UserFilter = "(uid={username}" + strings.Repeat("x", maxText) + ")" }, "userFilter: "},
		{"template without a name", func(c *Config) { c.UserDNTemplate = "uid=alice,dc=org" }, "userDnTemplate: "},
		{"template with two", func(c *Config) { c.UserDNTemplate = "uid={username},cn={username},dc=org" }, "userDnTemplate: "},
		{"template with the name behind", func(c *Config) { c.UserDNTemplate = "uid=x,ou={username},dc=org" }, "userDnTemplate: "},
		{"template with the name as a type", func(c *Config) { c.UserDNTemplate = "{username}=x,dc=org" }, "userDnTemplate: "},
		{"template with two values", func(c *Config) { c.UserDNTemplate = "uid={username}+cn=x,dc=org" }, "userDnTemplate: "},
		{"template that is the name", func(c *Config) { c.UserDNTemplate = "{username}" }, "userDnTemplate: "},
		{"template without an end", func(c *Config) { c.UserDNTemplate = "uid={username}" }, "userDnTemplate: "},
		{"subjectAttribute", func(c *Config) { c.SubjectAttribute = "uid)(x=*" }, "attributes: "},
		{"attributes", func(c *Config) { c.Attributes = []string{"*"} }, "attributes: "},
		{"an empty attribute", func(c *Config) { c.Attributes = []string{""} }, "attributes: "},
		{"a secret attribute", func(c *Config) { c.Attributes = []string{"USERPASSWORD"} }, "attributes: "},
		{"too many attributes", func(c *Config) { c.Attributes = strings.Split(strings.Repeat("a ", 51), " ")[:51] }, "attributes: "},
		{"disabledFilter", func(c *Config) { c.DisabledFilter = "disabled" }, "disabledFilter: "},
		{"disabledFilter with a place", func(c *Config) { c.DisabledFilter = "(uid={username})" }, "disabledFilter: "},
		{"groupBaseDn", func(c *Config) { c.GroupBaseDN = "groups" }, "groupBaseDn: "},
		{"groupFilter without a member", func(c *Config) { c.GroupFilter = "(objectClass=group)" }, "groupFilter: "},
		{"groupFilter with the name that was typed", func(c *Config) { c.GroupFilter = "(&(member={dn})(memberUid={username}))" }, "groupFilter: "},
		{"groupFilter with a member and memberOf", func(c *Config) { c.GroupFilter, c.GroupsByMemberOf = "(member={dn})", true }, "groupFilter: "},
		{"groupAttribute", func(c *Config) { c.GroupAttribute = "c n" }, "groupAttribute: "},
		{"domain without AD", func(c *Config) { c.Domain = "corp.example.com" }, "domain and netbiosDomain: "},
		{"AD with template", func(c *Config) { c.ActiveDirectory, c.UserDNTemplate = true, "uid={username},dc=org" }, "userDnTemplate: "},
		{"AD with memberOf", func(c *Config) { c.ActiveDirectory, c.GroupsByMemberOf = true, true }, "groupsByMemberOf: "},
		{"AD with members in the filter", func(c *Config) { c.ActiveDirectory, c.GroupFilter = true, "(member={dn})" }, "groupFilter: "},
		{"AD without domain or account", func(c *Config) { c.ActiveDirectory, c.BindDN, c.BindPassword = true, "", "" }, "domain: "},
		{"AD domain", func(c *Config) { c.ActiveDirectory, c.Domain = true, "corp,DC=evil" }, "domain: "},
		{"AD NetBIOS domain", func(c *Config) { c.ActiveDirectory, c.NetBIOSDomain = true, `CORP\x` }, "netbiosDomain: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			var cfg Config
			base(&cfg)
			c.change(&cfg)
			err := cfg.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("Validate = %v; want %s... and no secret", err, c.want)
			}
			if d, err := New(cfg); d != nil || err == nil {
				t.Errorf("New = %v, %v; want what Validate says", d, err)
			}
		})
	}
}
