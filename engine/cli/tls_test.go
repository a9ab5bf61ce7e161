package cli_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeCertificate makes a self-signed certificate for loopback.
func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "postern test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return cert, key, pool
}

// TLS from files: version 1.2 at least, HTTP/1.1, and the certificate read
// again on HUP; files that cannot be read leave the old one in place.
func TestServeTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := writeCertificate(t, dir, 1)
	r := serve(t, nil, "serve", "--data", filepath.Join(t.TempDir(), "data"), "--tls-cert", cert, "--tls-key", key)
	address := strings.TrimPrefix(r.url, "https://")
	handshake := func(c *tls.Config) (serial int64, version uint16, err error) {
		conn, err := tls.Dial("tcp", address, c)
		if err != nil {
			return 0, 0, err
		}
		defer conn.Close()
		s := conn.ConnectionState()
		return s.PeerCertificates[0].SerialNumber.Int64(), s.Version, nil
	}
	if serial, version, err := handshake(&tls.Config{RootCAs: pool}); err != nil || serial != 1 || version < tls.VersionTLS12 {
		t.Fatalf("serial %d, version %x: %v", serial, version, err)
	}
	if _, _, err := handshake(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if _, _, err := handshake(&tls.Config{RootCAs: pool, NextProtos: []string{"h2"}}); err == nil {
		t.Error("HTTP/2 was agreed on, which is not spoken")
	}
	// reloaded sends HUP until the serial is the wanted one.
	reloaded := func(pool *x509.CertPool, want int64) bool {
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if serial, _, err := handshake(&tls.Config{RootCAs: pool}); err == nil && serial == want {
				return true
			}
		}
		return false
	}
	_, _, second := writeCertificate(t, dir, 2)
	if !reloaded(second, 2) {
		t.Fatal("the new certificate is not served")
	}
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !reloaded(second, 2) {
		t.Error("a certificate that cannot be read has put out the old one")
	}
	if code := r.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if !strings.Contains(r.log.String(), "the old certificate stays") {
		t.Errorf("the log does not say that the certificate could not be read:\n%s", r.log)
	}
}
