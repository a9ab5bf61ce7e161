package cli

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func lintCommand(s streams) *cobra.Command {
	var raw bool
	c := sub("lint APP", "List what is allowed and perhaps not meant", 1, func(c *client, _ *cobra.Command, a []string) error {
		if raw {
			return c.show(s, "GET", environment(a[0], "lint"), nil)
		}
		var answer struct {
			Findings []struct {
				Kind, Severity, Collection, Group, Text string
				Count                                   int
				Samples                                 []string
			}
		}
		if err := c.call("GET", environment(a[0], "lint"), nil, &answer); err != nil {
			return err
		}
		if len(answer.Findings) == 0 {
			fmt.Fprintln(s.out, "nothing found")
		}
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		for _, f := range answer.Findings {
			where := "collection " + f.Collection
			if f.Group != "" {
				where = "group " + f.Group
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\n", f.Severity, f.Kind, where, f.Count, f.Text, strings.Join(f.Samples, " "))
		}
		return t.Flush()
	})
	c.Long = "List collections and entities that everybody may write, groups of everybody and of nobody,\n" +
		"and names of users and groups that are not there. Nothing is changed."
	c.Flags().BoolVar(&raw, "json", false, "print the server's answer as it is")
	return c
}
