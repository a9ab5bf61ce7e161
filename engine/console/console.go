//go:build !noconsole

// Package console is the console's page: files for a browser, and nothing that
// runs on the server. The build tag noconsole leaves them out.
package console

import (
	"embed"
	"io/fs"
)

//go:embed *.html *.css *.js
var files embed.FS

// Files are the files of the page, all in one directory; nil when they were left out.
func Files() fs.FS { return files }
