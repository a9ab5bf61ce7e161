// Postern is an app backend in one binary that speaks the Kinvey REST API.
package main

import (
	"os"

	"postern/engine/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
