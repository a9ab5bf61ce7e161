package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// atOnce is how many entities one request changes: a multiple of what one commit
// holds.
const atOnce = 1024

// bulkACL is one run of acl change or acl transfer.
type bulkACL struct {
	streams
	client      *client
	app         string
	dryRun, yes bool
	quiet       bool
}

func aclCommand(s streams) *cobra.Command {
	return parent("acl", "Change the _acl of many entities, or hand over what somebody owns", aclChangeCommand(s), aclTransferCommand(s))
}

const aclSafety = `
Without --yes nothing is changed: it tells how many entities match, how many would
change, and how many pairs of a user and an entity would gain or lose reading and
writing. (--dry-run says the same outright.) With --yes the change is made.

It is made in batches, in the order of the ids, and each batch is one commit and
one line of the audit. When it is interrupted (Ctrl-C, a server that stops), whole
batches are done; the same command again does the rest. Entities that have the
change already are left alone, and who reads or writes meanwhile is not held up.`

func (b *bulkACL) command(use, short, long string, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long + aclSafety, Args: args,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if b.dryRun && b.yes {
				return usageError{errors.New("--dry-run and --yes say the opposite")}
			}
			b.client = newClient(cmd)
			if b.app == "" {
				if b.app, err = b.client.onlyApp(); err != nil {
					return err
				}
			}
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second one ends the process at once
			return run(ctx, args)
		},
	}
	f := c.Flags()
	f.StringVar(&b.app, "app", "", "app `key`; not needed where there is one app")
	f.BoolVar(&b.dryRun, "dry-run", false, "tell what would happen, and change nothing")
	f.BoolVar(&b.yes, "yes", false, "make the change")
	f.BoolVar(&b.quiet, "quiet", false, "show no progress")
	return c
}

func aclChangeCommand(s streams) *cobra.Command {
	b := &bulkACL{streams: s}
	var query, gr, gw, creator, whole string
	names := map[string]*[]string{}
	c := b.command("change COLLECTION --query JSON", "Change the _acl of the entities that a query matches",
		`Change the _acl of the entities of a collection that a query matches; '{}' matches
all. Users are given by name or by id, groups by id.

  postern acl change notes --query '{"project":"apollo"}' --group-read-add sales
  postern acl change notes --query '{"_acl.r":"bob"}' --read-remove bob --gr follow --yes
`, cobra.ExactArgs(1), func(ctx context.Context, args []string) error {
			if query == "" {
				return usageError{errors.New("it needs --query; '{}' is all entities")}
			}
			if !json.Valid([]byte(query)) {
				return usageError{fmt.Errorf("--query %q is not JSON", query)}
			}
			change := map[string]any{}
			for member, value := range map[string]string{"gr": gr, "gw": gw} {
				switch value {
				case "":
				case "on", "off":
					change[member] = value == "on"
				case "follow":
					change[member] = nil
				default:
					return usageError{fmt.Errorf("--%s %q: want on, off or follow", member, value)}
				}
			}
			edit := func(prefix string) any {
				e := map[string][]string{}
				for _, what := range []string{"add", "remove"} {
					if list := *names[prefix+"-"+what]; len(list) > 0 {
						e[what] = list
					}
				}
				return e
			}
			set := func(in map[string]any, member, prefix string) {
				if len(*names[prefix+"-add"])+len(*names[prefix+"-remove"]) > 0 {
					in[member] = edit(prefix)
				}
			}
			groups := map[string]any{}
			set(change, "r", "read")
			set(change, "w", "write")
			set(groups, "r", "group-read")
			set(groups, "w", "group-write")
			if len(groups) > 0 {
				change["groups"] = groups
			}
			if creator != "" {
				change["creator"] = creator
			}
			if whole != "" {
				if !json.Valid([]byte(whole)) {
					return usageError{fmt.Errorf("--acl %q is not JSON", whole)}
				}
				change["acl"] = json.RawMessage(whole)
			}
			if len(change) == 0 {
				return usageError{errors.New("nothing is to change: see postern acl change --help")}
			}
			return b.run(ctx, args, json.RawMessage(query), change)
		})
	f := c.Flags()
	f.StringVar(&query, "query", "", "`JSON` query of the entities, '{}' for all")
	for _, who := range []string{"read", "write", "group-read", "group-write"} {
		for what, text := range map[string]string{"add": "name in", "remove": "take out of"} {
			list := map[string]string{"read": "r", "write": "w", "group-read": "groups.r", "group-write": "groups.w"}[who]
			names[who+"-"+what] = f.StringSlice(who+"-"+what, nil, text+" _acl."+list+" (repeat)")
		}
	}
	f.StringVar(&gr, "gr", "", "may every user read? on, off, or follow the level of the collection")
	f.StringVar(&gw, "gw", "", "may every user write? on, off, or follow the level of the collection")
	f.StringVar(&creator, "creator", "", "`user` who is to own them")
	f.StringVar(&whole, "acl", "", "the whole _acl as `JSON`, in the place of what there is; alone")
	return c
}

func aclTransferCommand(s streams) *cobra.Command {
	b := &bulkACL{streams: s}
	var from, to string
	c := b.command("transfer --from USER --to USER [COLLECTION...]", "Make somebody the owner of what another owns",
		`Make a user the creator of all entities that another one has created, in the
collections that are named, or in all of them. --from may be the id of somebody
who is gone; what the master has made is the app's, and its key stands for it.
`, cobra.ArbitraryArgs, func(ctx context.Context, args []string) error {
			if from == "" || to == "" {
				return usageError{errors.New("it needs --from and --to")}
			}
			id, err := b.userID(from)
			if err != nil {
				return err
			}
			if len(args) == 0 {
				if args, err = b.collections(); err != nil {
					return err
				}
			}
			return b.run(ctx, args, map[string]string{"_acl.creator": id}, map[string]any{"creator": to})
		})
	f := c.Flags()
	f.StringVar(&from, "from", "", "`user` who owns the entities, by name or id")
	f.StringVar(&to, "to", "", "`user` who is to own them")
	return c
}

// onlyApp is the key of the one app that there is.
func (c *client) onlyApp() (string, error) {
	var apps []struct{ Environments []struct{ ID string } }
	if err := c.call("GET", "/v4/apps", nil, &apps); err != nil {
		return "", err
	}
	var keys []string
	for _, a := range apps {
		for _, e := range a.Environments {
			keys = append(keys, e.ID)
		}
	}
	if len(keys) != 1 {
		return "", usageError{fmt.Errorf("there are %d apps: which one says --app", len(keys))}
	}
	return keys[0], nil
}

// userID is the id of a user given by id or by name. What is neither may be the id
// of somebody who is gone.
func (b *bulkACL) userID(user string) (string, error) {
	var known map[string]string
	if err := b.client.call("GET", environment(b.app, "names")+"?"+url.Values{"ids": {user}}.Encode(), nil, &known); err != nil {
		return "", err
	}
	if _, ok := known[user]; ok || user == b.app {
		return user, nil
	}
	var account struct{ ID string }
	if err := b.client.call("GET", environment(b.app, "users", user), nil, &account); err == nil {
		return account.ID, nil
	}
	fmt.Fprintf(b.err, "nobody is called %s; it is taken for the id of somebody who is gone\n", user)
	return user, nil
}

func (b *bulkACL) collections() ([]string, error) {
	var all []struct{ Name string }
	if err := b.client.call("GET", environment(b.app, "collections"), nil, &all); err != nil {
		return nil, err
	}
	var names []string
	for _, c := range all {
		if c.Name != "user" {
			names = append(names, c.Name)
		}
	}
	return names, nil
}

// run makes the change, or tells what it would do, in one collection after the other.
func (b *bulkACL) run(ctx context.Context, collections []string, query, change any) error {
	for _, name := range collections {
		path := environment(b.app, "collections", name, "bulk-acl")
		var err error
		if b.yes {
			err = b.change(ctx, name, path, query, change)
		} else {
			err = b.preview(name, path, query, change)
		}
		if err != nil {
			return err
		}
	}
	if !b.yes {
		fmt.Fprintln(b.out, "Nothing was changed; --yes makes the change.")
	}
	return nil
}

func (b *bulkACL) preview(name, path string, query, change any) error {
	var answer struct {
		Matched, Changed int
		effect
	}
	if err := b.client.call("POST", path, map[string]any{"query": query, "change": change, "dryRun": true}, &answer); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "%s: %d entities match, %d would change\n", name, answer.Matched, answer.Changed)
	if answer.Changed == 0 {
		return nil
	}
	return answer.print(b.out)
}

func (b *bulkACL) change(ctx context.Context, name, path string, query, change any) error {
	matched, changed, shown := 0, 0, time.Now()
	bar := newProgress(b.err, b.quiet)
	after := ""
	for {
		var answer struct {
			Matched, Changed int
			Next             string
		}
		err := b.client.call("POST", path, map[string]any{"query": query, "change": change, "limit": atOnce, "after": after}, &answer)
		matched, changed, after = matched+answer.Matched, changed+answer.Changed, answer.Next
		if err == nil && after != "" && ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		if err != nil {
			return fmt.Errorf("%w; %d entities of %s are done, %d of them changed; the same command again does the rest", err, matched, name, changed)
		}
		if after == "" {
			_, err := fmt.Fprintf(b.out, "%s: %d entities match, %d changed\n", name, matched, changed)
			return err
		}
		if !b.quiet && time.Since(shown) > linePause {
			shown = time.Now()
			bar.line(fmt.Sprintf("%s: %d entities so far, %d changed", name, matched, changed))
		}
	}
}
