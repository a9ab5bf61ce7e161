package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitUsage    = 2
	exitProblems = 10 // check found problems
)

// errProblems is what check ends with when it has found something.
var errProblems = errors.New("the check found problems")

// usageError is a mistake in how a command was called.
type usageError struct{ err error }

func (u usageError) Error() string { return u.err.Error() }

// streams is where a command writes.
type streams struct{ out, err io.Writer }

// Main runs a command and returns the exit code of the process.
func Main(args []string, stdout, stderr io.Writer) int {
	root := newRoot(streams{stdout, stderr})
	root.SetArgs(args)
	err := root.Execute()
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errProblems):
		return exitProblems
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "postern:", err)
		fmt.Fprintln(stderr, "see postern help")
		return exitUsage
	}
	fmt.Fprintln(stderr, "postern:", err)
	return exitFailed
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:           "postern",
		Short:         "An app backend that speaks the Kinvey REST API",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q", args[0])}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.String("data", "./postern-data", "data directory")
	f.String("config", "", "file with settings, one `flag = value` a line")
	f.String("log-level", "info", "debug, info, warn or error")
	f.String("log-format", "", "text or json (default: text on a terminal, json otherwise)")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return settings(cmd) }
	root.AddCommand(
		devCommand(s), serveCommand(s), checkCommand(s), versionCommand(s), trustCommand(s),
		appCommand(s), collectionCommand(s), userCommand(s), sessionCommand(s), groupCommand(s),
		operatorCommand(s), whyCommand(s), whoCanCommand(s), visibleCommand(s), previewCommand(s), lintCommand(s), explainCommand(s), outboxCommand(s), micCommand(s), backupCommand(s), restoreCommand(s),
		requestsCommand(s), aclCommand(s), auditCommand(s), importCommand(s), importConfigCommand(s), exportConfigCommand(s), scriptCommand(s),
		benchCommand(s), benchChildCommand(s),
	)
	for _, c := range root.Commands() {
		usageArgs(c)
	}
	return root
}

// usageArgs makes mistakes in arguments exit with the code for usage.
func usageArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		usageArgs(sub)
	}
}

// startSecrets are the environment variables that serve reads for the first
// app; they are no flags, so that secrets are not in the list of processes.
var startSecrets = map[string]bool{
	"POSTERN_APP_KEY": true, "POSTERN_APP_SECRET": true, "POSTERN_MASTER_SECRET": true,
	"POSTERN_OPERATOR_EMAIL": true, "POSTERN_OPERATOR_PASSWORD": true,
}

// settings fills the flags that were not given from the environment
// (POSTERN_LISTEN for --listen), then from the configuration file. A name that
// no flag has is an error: a mistyped setting must not be passed over.
func settings(cmd *cobra.Command) error {
	given := map[string]bool{}
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
	set := func(name, value, where string) error {
		f := cmd.Flags().Lookup(name)
		if f == nil {
			if known(cmd.Root(), name) {
				return nil // another command's
			}
			return usageError{fmt.Errorf("unknown setting %q in %s", name, where)}
		}
		if given[name] {
			return nil
		}
		given[name] = true
		if err := cmd.Flags().Set(name, value); err != nil { // marks it as given, too
			return usageError{fmt.Errorf("setting %q in %s: %w", name, where, err)}
		}
		return nil
	}
	for _, kv := range os.Environ() {
		key, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(key, "POSTERN_")
		if !ok || startSecrets[strings.TrimSuffix(key, "_FILE")] {
			continue
		}
		name := strings.ReplaceAll(strings.ToLower(rest), "_", "-")
		if err := set(name, value, "the environment ("+key+")"); err != nil {
			return err
		}
	}
	file, _ := cmd.Flags().GetString("config")
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		where := fmt.Sprintf("%s line %d", file, i+1)
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return usageError{fmt.Errorf("%s: want name = value", where)}
		}
		if err := set(strings.TrimSpace(name), strings.TrimSpace(value), where); err != nil {
			return err
		}
	}
	return nil
}

// known tells whether any command has the flag.
func known(c *cobra.Command, name string) bool {
	if c.Flags().Lookup(name) != nil || c.PersistentFlags().Lookup(name) != nil {
		return true
	}
	for _, sub := range c.Commands() {
		if known(sub, name) {
			return true
		}
	}
	return false
}

// newLogger makes the logger that --log-level and --log-format ask for.
func newLogger(cmd *cobra.Command, w io.Writer) (*slog.Logger, error) {
	text, _ := cmd.Flags().GetString("log-level")
	var level slog.Level
	if err := level.UnmarshalText([]byte(text)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q: want debug, info, warn or error", text)}
	}
	format, _ := cmd.Flags().GetString("log-format")
	if format == "" {
		format = "json"
		if f, ok := w.(*os.File); ok {
			if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
				format = "text"
			}
		}
	}
	o := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usageError{fmt.Errorf("--log-format %q: want text or json", format)}
}
