package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"postern/engine/script"
)

// scriptCommand is not for people: the server starts it for a reducer in
// JavaScript.
func scriptCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:    "run-script",
		Short:  "Run a script that comes on standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if script.Main(os.Stdin, s.out) != 0 {
				return errors.New("the script could not be run")
			}
			return nil
		},
	}
}

// scripts returns what runs scripts in processes of this program.
func scripts() (*script.Runner, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return script.New(script.TimeLimit, program, "run-script"), nil
}
