package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postern/bench"
	"postern/engine"
)

func benchCommand(s streams) *cobra.Command {
	var o bench.Options
	var jsonFile, htmlFile string
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this build side by side with the floors of this machine",
		Long: "Measure this build side by side with the floors of this machine, in temporary\n" +
			"directories. Every answer that is timed is compared with an oracle first. The last\n" +
			"line says how many goals are met; a goal that is missed is no error.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			engine.PaceCollector()
			var err error
			if o.Program, err = os.Executable(); err != nil {
				return err
			}
			report, err := bench.Run(o, s.out)
			if err != nil {
				return err
			}
			for _, f := range []struct {
				name  string
				write func(io.Writer) error
			}{{jsonFile, report.JSON}, {htmlFile, report.HTML}} {
				if f.name == "" {
					continue
				}
				if err := writeFile(f.name, f.write); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := c.Flags()
	f.IntSliceVar(&o.Entities, "entities", []int{100_000, 1_000_000}, "sizes of the data sets")
	f.IntVar(&o.Users, "users", 10_000, "users who may be in an ACL")
	f.IntVar(&o.Groups, "groups", 1000, "groups")
	f.IntVar(&o.Rounds, "rounds", 3, "figures are medians of so many")
	f.DurationVar(&o.Length, "length", 1500*time.Millisecond, "of one measurement")
	f.StringSliceVar(&o.Only, "only", nil, "parts: "+strings.Join(bench.Parts(), ", ")+" (default: all)")
	f.IntVar(&o.Connections, "connections", 32, "of the closed loop")
	f.Uint64Var(&o.Seed, "seed", 1, "of the data sets")
	f.StringVar(&jsonFile, "json", "", "`file` for all figures")
	f.StringVar(&htmlFile, "html", "", "`file` for a report with plots")
	return c
}

// benchChildCommand is not for people: a measurement starts it for what must be
// a process of its own.
func benchChildCommand(s streams) *cobra.Command {
	return &cobra.Command{
		Use:    bench.ChildCommand,
		Short:  "Be the other process of a measurement",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			engine.PaceCollector()
			return bench.Child(args, os.Stdin, s.out)
		},
	}
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return f.Close()
}
