// Package lab starts real identity providers for the tests with the build tag e2e:
// OpenLDAP, a domain controller of Samba, the certified oidc-provider, and
// SimpleSAMLphp. They listen on loopback, keep their files in temporary directories,
// and end with the test. What they are made of is fetched as package install says.
package lab
