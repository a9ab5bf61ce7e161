// Package cli is the command line of the postern binary. serve and dev run a
// server; the commands that administer talk to a running one through the socket
// in its data directory, which only the owner of the data can open.
package cli
