package clients

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"postern/engine/clients/install"
)

// An sdk is a published client.
type sdk struct {
	name, version string
	// lock is the directory in testdata with its package.json and package-lock.json.
	lock string
	// sum is the SHA-256 of all files of the package as it was published.
	sum string
}

func (s sdk) String() string { return s.name + "-" + s.version }

var (
	node312 = sdk{"kinvey-node-sdk", "3.12.5", ".", "4f09fe7515dcf6cea65ffbbc1e5350b242b90f6038378618d4129adfbdf5d7db"}
	node32  = sdk{"kinvey-node-sdk", "3.2.1", "node-3.2.1", "630c3143798fde1f1c067bf847d75cbc0ad5030acb8be9358f8bab4e3b9e0622"}
	js7     = sdk{"kinvey-js-sdk", "7.0.0", "js-7.0.0", "aa80b15333a4a9bf83cf6b4d2a1cb65c74c001f3695474afe69963b56906b201"}
	kinvey1 = sdk{"kinvey", "1.7.0", "kinvey-1.7.0", "2d2d15ec7d35de394137f20a1c3c03404c42d40e0bf125a3bf265b2c01194fb5"}
	flex    = sdk{"kinvey-flex-sdk", "3.3.0", "flex-3.3.0", "ab9590eed5a9bc484a3633779553038abcbdb8cd017b045f636f0ec630b94c29"}
	// html5 and html5Later are for browsers. The lock file of the later one puts the
	// core of js7 in the place of one that was never published.
	html5      = sdk{"kinvey-html5-sdk", "3.12.5", "html5-3.12.5", "90de3ed2a5ee00a861eabdfa5a7aa3bb604a8c3efd5cd5ed708c4b85a86298fc"}
	html5Later = sdk{"kinvey-html5-sdk", "9.0.0", "html5-9.0.0", "593aecf438e2e2da7d02fb5e59bc9efa896d4e469c99a45e50fdcaef38eb28ec"}
	cli        = sdk{"kinvey-cli", "6.1.3", "cli", "bcc2d8c44e92b3449528ed1275532a848e4a3aace0f96793902ee328762f6e5c"}
)

// A client is an installed SDK and the node to run it.
type client struct {
	sdk
	node    string // path of the program
	modules string // directory to search for packages

	environment []string           // for its scripts, besides what all get
	tell        func(order string) // carries out what a script orders
}

// install finds node and the SDK, see install.NPM.
func (s sdk) install(t *testing.T) *client {
	t.Helper()
	c := &client{sdk: s}
	install.NPM(t, s.String(), os.DirFS(filepath.Join("testdata", s.lock)), func(n install.Node) bool {
		c.node, c.modules = n.Program, n.Modules
		return c.unmodified()
	})
	return c
}

// unmodified tells whether the SDK is there, byte for byte as it was published.
func (c *client) unmodified() bool { return c.is(c.sdk) }

// is tells whether another SDK is there beside it, as it was published.
func (c *client) is(other sdk) bool { return other.sum256(c.modules) == other.sum }

// sum256 is the SHA-256 of the names and contents of all files of the package, ""
// if it is not there. Other packages that npm has put into it do not count.
func (s sdk) sum256(modules string) string {
	root := os.DirFS(filepath.Join(modules, s.name))
	sum := sha256.New()
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == "node_modules" {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, name)
		fmt.Fprintf(sum, "%s %d\n", name, len(text))
		sum.Write(text)
		return err
	})
	if err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
