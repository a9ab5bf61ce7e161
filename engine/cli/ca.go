package cli

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"postern/engine"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	// leafLife is the longest that every client accepts.
	leafLife = 397 * 24 * time.Hour
	// sdkDomain is where SDKs with fixed hosts look for their servers.
	sdkDomain = "kinvey.com"
)

// An authority is the certificate authority of a development server. It can sign
// for the loopback interface and for the hosts that are fixed in SDKs, and the
// certificate says so critically: who trusts it risks nothing elsewhere should
// its key be lost.
type authority struct {
	dir  string // holds ca.pem, ca-key.pem and server.pem
	cert *x509.Certificate
	key  crypto.Signer
}

func (a *authority) certFile() string { return filepath.Join(a.dir, "ca.pem") }

// fingerprint is the SHA-256 of the certificate in hexadecimal digits.
func (a *authority) fingerprint() string {
	sum := sha256.Sum256(a.cert.Raw)
	return hex.EncodeToString(sum[:])
}

// authorityDir is where the authority is kept: in the data directory that was
// given, or else in the user's configuration, so that it has to be trusted once.
func authorityDir(data string, given bool) (string, error) {
	if given {
		return filepath.Abs(filepath.Join(data, "ca"))
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(config, "postern", "ca"), nil
}

// openAuthority reads the authority of a directory, or makes it there.
func openAuthority(dir string, now time.Time) (*authority, error) {
	a := &authority{dir: dir}
	err := a.read(now)
	if errors.Is(err, os.ErrNotExist) {
		if err = a.create(now); err == nil {
			err = a.read(now)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate authority in %s: %w", dir, err)
	}
	return a, nil
}

func (a *authority) keyFile() string { return filepath.Join(a.dir, "ca-key.pem") }

func (a *authority) read(now time.Time) error {
	info, err := os.Stat(a.keyFile())
	if err != nil {
		return err
	}
	// Who has the key can pose as this machine's own services.
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("ca-key.pem can be read by others (mode %04o): remove the directory, for a new one, and the trust in the old one", mode)
	}
	keyPEM, err := os.ReadFile(a.keyFile())
	if err != nil {
		return err
	}
	certPEM, err := os.ReadFile(a.certFile())
	if err != nil {
		return err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return errors.New("ca-key.pem holds no key")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return err
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("ca-key.pem holds no ECDSA key")
	}
	if block, _ = pem.Decode(certPEM); block == nil {
		return errors.New("ca.pem holds no certificate")
	}
	if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
		return err
	}
	switch {
	case !ec.PublicKey.Equal(a.cert.PublicKey):
		return errors.New("ca.pem and ca-key.pem do not belong together")
	case !a.cert.PermittedDNSDomainsCritical:
		return errors.New("ca.pem is not limited to the names of a development server")
	case now.Add(leafLife).After(a.cert.NotAfter):
		return fmt.Errorf("it ends on %s: remove the directory, for a new one, and trust that", a.cert.NotAfter.Format(time.DateOnly))
	}
	a.key = ec
	return nil
}

func (a *authority) create(now time.Time) error {
	if err := os.MkdirAll(a.dir, 0o700); err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := serialNumber()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Postern development"}, CommonName: "Postern dev CA " + host + " " + serial.Text(16)[:6]},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:    x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// A kind of name that is not mentioned here would be free.
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         []string{"localhost", sdkDomain},
		PermittedIPRanges: []*net.IPNet{
			{IP: net.IPv4(127, 0, 0, 0).To4(), Mask: net.CIDRMask(8, 32)},
			{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)},
		},
		PermittedEmailAddresses: []string{"localhost"},
		PermittedURIDomains:     []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	// The key comes last: it is what says that an authority is there.
	if err := writeAside(a.certFile(), encodeCertificate(der), 0o644); err != nil {
		return err
	}
	return writeAside(a.keyFile(), keyPEM, 0o600)
}

// leaf signs a certificate for the server and returns the file that has it and
// its key.
func (a *authority) leaf(now time.Time) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	serial, err := serialNumber()
	if err != nil {
		return "", err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Postern development"}, CommonName: "localhost"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(leafLife - time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost", sdkDomain, "*." + sdkDomain},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return "", err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return "", err
	}
	file := filepath.Join(a.dir, "server.pem")
	return file, writeAside(file, append(encodeCertificate(der), keyPEM...), 0o600)
}

func serialNumber() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 126))
	if err != nil {
		return nil, err
	}
	return n.SetBit(n, 126, 1), nil
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// writeAside writes a file beside its place and renames it, so that nobody sees
// half of it, nor any of it in another mode.
func writeAside(name string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = bytes.NewReader(text).WriteTo(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// useAuthority makes the server speak TLS with a certificate of the authority,
// whose own certificate is in the file that is returned.
func (s *server) useAuthority(data string, given bool) (caFile string, err error) {
	dir, err := authorityDir(data, given)
	if err != nil {
		return "", err
	}
	a, err := openAuthority(dir, time.Now())
	if err != nil {
		return "", err
	}
	file, err := a.leaf(time.Now())
	if err != nil {
		return "", err
	}
	s.certificates, err = engine.LoadCertificates(file, file)
	s.config.AlsoHosts = []string{sdkDomain}
	return a.certFile(), err
}
