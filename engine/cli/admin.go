package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// parent makes a command that only has subcommands.
func parent(use, short string, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(subs...)
	return c
}

// sub makes a command that sends one request.
func sub(use, short string, args int, run func(c *client, cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(args),
		RunE: func(cmd *cobra.Command, args []string) error { return run(newClient(cmd), cmd, args) },
	}
}

func path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}

func environment(app string, rest ...string) string {
	return path(append([]string{"v4", "environments", app}, rest...)...)
}

func appCommand(s streams) *cobra.Command {
	var name, key string
	create := sub("create", "Create an app; its secrets are printed once", 0, func(c *client, _ *cobra.Command, _ []string) error {
		body := map[string]string{}
		if name != "" {
			body["appName"] = name
		}
		if key != "" {
			body["id"] = key
		}
		return c.show(s, "POST", "/v4/apps", body)
	})
	create.Flags().StringVar(&name, "name", "", "name of the app")
	create.Flags().StringVar(&key, "key", "", "app key (default: made up)")
	var overlap int
	rotate := sub("regenerate-secret APP app|master", "Make a new secret, printed once", 2, func(c *client, _ *cobra.Command, a []string) error {
		if a[1] != "app" && a[1] != "master" {
			return usageError{fmt.Errorf("%q: want app or master", a[1])}
		}
		return c.show(s, "POST", environment(a[0], "regenerate-"+a[1]+"secret"), map[string]int{"overlapSeconds": overlap})
	})
	rotate.Flags().IntVar(&overlap, "overlap", 0, "seconds for which the old secret still works")
	return parent("app", "Apps of a running server",
		create,
		sub("list", "List the apps", 0, func(c *client, _ *cobra.Command, _ []string) error { return c.show(s, "GET", "/v4/apps", nil) }),
		sub("show APP", "Show an app's settings", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0]), nil)
		}),
		&cobra.Command{
			Use: "set APP NAME=VALUE...", Short: "Change settings, such as groupCreation=users", Args: cobra.MinimumNArgs(2),
			RunE: func(cmd *cobra.Command, a []string) error {
				body := map[string]any{}
				for _, kv := range a[1:] {
					k, v, ok := strings.Cut(kv, "=")
					if !ok {
						return usageError{fmt.Errorf("%q: want name=value", kv)}
					}
					var value any
					if json.Unmarshal([]byte(v), &value) != nil {
						value = v
					}
					body[k] = value
				}
				return newClient(cmd).show(s, "PUT", environment(a[0]), body)
			},
		},
		rotate,
	)
}

func collectionCommand(s streams) *cobra.Command {
	set := func(c *client, app, name, level string) error {
		return c.show(s, "PUT", environment(app, "collections", name), map[string]string{"permissions": level})
	}
	var level string
	create := sub("create APP NAME", "Create a collection", 2, func(c *client, _ *cobra.Command, a []string) error {
		return c.show(s, "POST", environment(a[0], "collections"), map[string]string{"name": a[1], "permissions": level})
	})
	create.Flags().StringVar(&level, "level", "shared", "shared, private, read-only or full")
	var days int
	delta := sub("set-delta APP NAME on|off", "Switch delta set on or off: whether changes are remembered", 3, func(c *client, _ *cobra.Command, a []string) error {
		if a[2] != "on" && a[2] != "off" {
			return usageError{fmt.Errorf("%q: want on or off", a[2])}
		}
		setting := map[string]any{"enabled": a[2] == "on"}
		if days != 0 {
			setting["deletedTTLInDays"] = days
		}
		return c.show(s, "PUT", environment(a[0], "collections", a[1]), map[string]any{"deltaSet": setting})
	})
	delta.Flags().IntVar(&days, "days", 0, "for how many `days` changes are remembered, 1 to 30 (default 15)")
	return parent("collection", "Collections and their levels (the Settings page)",
		create,
		sub("list APP", "List the collections with their levels", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0], "collections"), nil)
		}),
		sub("set-level APP NAME LEVEL", "Set the level: shared, private, read-only or full", 3, func(c *client, _ *cobra.Command, a []string) error {
			return set(c, a[0], a[1], a[2])
		}),
		delta,
		ordersCommand(s),
		sub("delete APP NAME", "Drop a collection with all its entities", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.call("DELETE", environment(a[0], "collections", a[1]), nil, nil)
		}),
	)
}

func userCommand(s streams) *cobra.Command {
	do := func(method string, rest ...string) func(*client, *cobra.Command, []string) error {
		return func(c *client, _ *cobra.Command, a []string) error {
			return c.call(method, environment(a[0], append([]string{"users", a[1]}, rest...)...), nil, nil)
		}
	}
	return parent("user", "Users of an app",
		sub("create APP NAME", "Create a user; the password is read from standard input", 2, func(c *client, cmd *cobra.Command, a []string) error {
			password, err := readSecret(cmd)
			if err != nil {
				return err
			}
			var user struct {
				ID       string `json:"_id"`
				Username string `json:"username"`
			}
			if err := c.call("POST", path("user", a[0]), map[string]string{"username": a[1], "password": password}, &user); err != nil {
				return err
			}
			_, err = fmt.Fprintf(s.out, "%s %s\n", user.ID, user.Username)
			return err
		}),
		sub("show APP NAME", "Show an account", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0], "users", a[1]), nil)
		}),
		sub("set-password APP NAME", "Set a password, read from standard input; ends all sessions", 2, func(c *client, cmd *cobra.Command, a []string) error {
			password, err := readSecret(cmd)
			if err != nil {
				return err
			}
			return c.call("PUT", environment(a[0], "users", a[1], "password"), map[string]string{"password": password}, nil)
		}),
		sub("suspend APP NAME", "Suspend a user; ends all sessions", 2, do("POST", "suspend")),
		sub("restore APP NAME", "Let a suspended user back in", 2, do("POST", "restore")),
		sub("sessions APP NAME", "List the sessions of a user", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0], "users", a[1], "sessions"), nil)
		}),
	)
}

func sessionCommand(s streams) *cobra.Command {
	list := sub("list APP [USER]", "List the sessions of a user, or the newest of all", 0, func(c *client, _ *cobra.Command, a []string) error {
		if len(a) == 1 {
			return c.show(s, "GET", environment(a[0], "sessions"), nil)
		}
		return c.show(s, "GET", environment(a[0], "users", a[1], "sessions"), nil)
	})
	list.Args = cobra.RangeArgs(1, 2)
	return parent("session", "Sessions of a user", list,
		sub("end APP USER ID", "End one session, by the id that list shows", 3, func(c *client, _ *cobra.Command, a []string) error {
			return c.call("DELETE", environment(a[0], "users", a[1], "sessions", a[2]), nil, nil)
		}),
		sub("end-all APP USER", "End all sessions of a user", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.call("DELETE", environment(a[0], "users", a[1], "sessions"), nil, nil)
		}),
	)
}

func groupCommand(s streams) *cobra.Command {
	type ref struct {
		Type       string `json:"_type"`
		Collection string `json:"_collection"`
		ID         string `json:"_id"`
	}
	var all bool
	var users, groups []string
	set := sub("set APP GROUP", "Create or replace a group", 2, func(c *client, _ *cobra.Command, a []string) error {
		refs := func(collection string, ids []string) []ref {
			out := make([]ref, 0, len(ids))
			for _, id := range ids {
				out = append(out, ref{"KinveyRef", collection, id})
			}
			return out
		}
		return c.show(s, "PUT", path("group", a[0], a[1]), map[string]any{
			"users":  map[string]any{"all": all, "list": refs("user", users)},
			"groups": refs("group", groups),
		})
	})
	set.Flags().BoolVar(&all, "all", false, "every user of the app is a member")
	set.Flags().StringSliceVar(&users, "user", nil, "`id` of a member (repeat)")
	set.Flags().StringSliceVar(&groups, "group", nil, "`id` of a nested group (repeat)")
	return parent("group", "Groups of an app", set,
		sub("list APP", "List the groups", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", path("group", a[0]), nil)
		}),
		sub("show APP GROUP", "Show a group", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", path("group", a[0], a[1]), nil)
		}),
		sub("members APP GROUP", "List who is in a group, in groups inside it too, and which groups hold it", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "GET", environment(a[0], "groups", a[1]), nil)
		}),
		sub("delete APP GROUP", "Delete a group", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.call("DELETE", path("group", a[0], a[1]), nil, nil)
		}),
	)
}

// readSecret reads a line from standard input, so that secrets are neither in
// the list of processes nor in the shell's history.
func readSecret(cmd *cobra.Command) (string, error) {
	if f, ok := cmd.InOrStdin().(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			fmt.Fprint(cmd.ErrOrStderr(), "password: ")
		}
	}
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", usageError{fmt.Errorf("no password on standard input: %w", err)}
	}
	return line, nil
}
