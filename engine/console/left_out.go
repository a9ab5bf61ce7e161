//go:build noconsole

// Package console is the console's page, which was left out of this build.
package console

import "io/fs"

// Files is nil: there is no page.
func Files() fs.FS { return nil }
