package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/cobra"
)

// imported is what the server says about a configuration file.
type imported struct {
	Applied  bool
	Problems []struct {
		Line    int
		At      string
		Problem string
	}
	Changes []string
}

func importConfigCommand(s streams) *cobra.Command {
	var check, partial bool
	c := &cobra.Command{
		Use:   "import-config APP FILE",
		Short: "Apply an environment configuration file of kinvey-cli, whole or not at all",
		Long: `Apply an environment configuration file, as kinvey-cli writes it with "appenv
export", to an app of a running server. What the server does not honour is
printed with its line; then nothing is changed and the exit code is 10, unless
--partial is given. What the file does not name stays as it is, and so do the
members of groups.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, a []string) error {
			text, err := os.ReadFile(a[1])
			if err != nil {
				return err
			}
			query := url.Values{}
			if check {
				query.Set("check", "true")
			}
			if partial {
				query.Set("partial", "true")
			}
			answer, err := newClient(cmd).open("PUT", environment(a[0], "config")+"?"+query.Encode(), bytes.NewReader(text))
			if err != nil {
				return err
			}
			defer answer.Close()
			var found imported
			if err := json.NewDecoder(answer).Decode(&found); err != nil {
				return err
			}
			return found.print(s, a[1], check, partial)
		},
	}
	c.Flags().BoolVar(&check, "check", false, "say what would happen and change nothing")
	c.Flags().BoolVar(&partial, "partial", false, "apply the rest although something is not honoured")
	return c
}

// print says what was done, or would be. What is not honoured is an error
// unless it was accepted beforehand.
func (i *imported) print(s streams, file string, check, partial bool) error {
	for _, p := range i.Problems {
		if _, err := fmt.Fprintf(s.out, "%s:%d: %s: %s\n", file, p.Line, p.At, p.Problem); err != nil {
			return err
		}
	}
	if len(i.Problems) > 0 && !partial {
		return errProblems
	}
	verb := "applied"
	if check {
		verb = "would apply"
	}
	for _, change := range i.Changes {
		if _, err := fmt.Fprintln(s.out, verb, change); err != nil {
			return err
		}
	}
	return nil
}

func exportConfigCommand(s streams) *cobra.Command {
	return sub("export-config APP", "Print an app's configuration as a file for import-config and kinvey-cli", 1,
		func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0], "config"), nil)
		})
}
