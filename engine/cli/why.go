package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// The commands that answer why: what is printed is what the server decided and
// what it looked at, in sentences.

// A party is a user or a group as the server tells of him.
type party struct {
	ID       string   `json:"_id"`
	Username string   `json:"username"`
	Gone     bool     `json:"gone"`
	Path     []string `json:"path"`
}

func (p party) String() string {
	switch {
	case len(p.Path) > 0:
		return "through " + strings.Join(p.Path, " -> ")
	case p.Username != "":
		return p.Username
	case p.Gone:
		return p.ID + " (no such user)"
	}
	return p.ID
}

// A verdict is the answer to why.
type verdict struct {
	User       party
	Right      string
	Collection string
	Level      string
	ID         string `json:"_id"`
	Account    string
	Allowed    bool
	Decision   string
	Path       []string
	Steps      []struct {
		Rule, Check string
		Saw         json.RawMessage
		Decided     bool
	}
	WouldAllow []struct {
		Change, Group, To string
		User              party
	}
}

func whyCommand(s streams) *cobra.Command {
	var user, right string
	var raw bool
	c := &cobra.Command{
		Use: "explain APP COLLECTION [ID]", Short: "Tell why a user may do something with an entity, or may not", Args: cobra.RangeArgs(2, 3),
		RunE: func(cmd *cobra.Command, a []string) error {
			if user == "" {
				return usageError{errors.New("--user says who is asked about")}
			}
			v := url.Values{"user": {user}, "right": {right}}
			if len(a) == 3 {
				v.Set("id", a[2])
			}
			path := environment(a[0], "collections", a[1], "why") + "?" + v.Encode()
			client := newClient(cmd)
			if raw {
				return client.show(s, "GET", path, nil)
			}
			var answer verdict
			if err := client.call("GET", path, nil, &answer); err != nil {
				return err
			}
			return answer.print(s.out)
		},
	}
	c.Flags().StringVar(&user, "user", "", "`user` who is asked about, by id or name")
	c.Flags().StringVar(&right, "right", "read", "`right`: read, write, delete, acl or create")
	c.Flags().BoolVar(&raw, "json", false, "print the server's answer as it is")
	return c
}

// did says what a right lets somebody do.
var did = map[string]string{"read": "read", "write": "change", "delete": "delete", "acl": "change who may do what with", "create": "create entities in"}

func (v *verdict) print(out io.Writer) error {
	may := "may not"
	if v.Allowed {
		may = "may"
	}
	what := v.Collection
	if v.ID != "" {
		what = v.ID + " of " + v.Collection
	}
	fmt.Fprintf(out, "%s %s %s %s: %s\n", v.User, may, did[v.Right], what, v.Decision)
	if v.Account != "" {
		fmt.Fprintf(out, "The account is %s: whatever he shows, he is nobody.\n", v.Account)
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, step := range v.Steps {
		mark := " "
		if step.Decided {
			mark = ">"
		}
		fmt.Fprintf(t, "%s %s\t%s\t%s\n", mark, step.Rule, step.Check, seen(step.Saw))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i, g := range v.WouldAllow {
		if i == 0 {
			fmt.Fprintln(out, "Each of these alone would allow it:")
		}
		fmt.Fprintln(out, "  "+sentence(g.Change, g.Group, g.To, g.User.String()))
	}
	return nil
}

// sentence says what a change is.
func sentence(change, group, to, user string) string {
	switch change {
	case "r", "w":
		return "name " + user + " in _acl." + change
	case "groups.r", "groups.w":
		return "name the group " + group + " in _acl." + change
	case "join":
		return "put him into the group " + group
	case "creator":
		return "make " + user + " the creator (the master alone can)"
	case "level":
		return "set the level of the collection to " + to
	}
	switch to { // gr, gw
	case "unset":
		return "take " + change + " out of the _acl, so that the level decides"
	case "on":
		return "set _acl." + change + " to true: for every user"
	}
	return change + " " + to
}

// seen is what a step has seen, in a line.
func seen(raw json.RawMessage) string {
	var text string
	var one party
	var many []party
	switch {
	case len(raw) == 0:
		return "no"
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &one) == nil:
		return one.String()
	case json.Unmarshal(raw, &many) == nil && len(many) > 0:
		var names []string
		for _, p := range many {
			name := p.String()
			if len(p.Path) > 0 {
				name = p.ID + " " + name
			}
			names = append(names, name)
		}
		return strings.Join(names, ", ")
	}
	return "nobody"
}

func whoCanCommand(s streams) *cobra.Command {
	var right string
	var skip, limit int
	c := sub("who-can APP COLLECTION ID", "List the users who may do something with an entity, each with the reason", 3, func(c *client, _ *cobra.Command, a []string) error {
		v := url.Values{"id": {a[2]}, "right": {right}, "skip": {strconv.Itoa(skip)}, "limit": {strconv.Itoa(limit)}}
		var answer struct {
			Count, Users int
			List         []struct {
				User         party
				Rule, Reason string
				Path         []string
			}
		}
		if err := c.call("GET", environment(a[0], "collections", a[1], "who-can")+"?"+v.Encode(), nil, &answer); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%d of %d users may %s %s of %s\n", answer.Count, answer.Users, did[right], a[2], a[1])
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		for _, one := range answer.List {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", one.User, one.Rule, one.Reason, strings.Join(one.Path, " -> "))
		}
		return t.Flush()
	})
	c.Flags().StringVar(&right, "right", "read", "`right`: read, write, delete or acl")
	c.Flags().IntVar(&skip, "skip", 0, "users left out at the beginning")
	c.Flags().IntVar(&limit, "limit", 100, "users at most")
	return c
}

func visibleCommand(s streams) *cobra.Command {
	return sub("visible APP USER", "Tell how many entities of each collection a user may read", 2, func(c *client, _ *cobra.Command, a []string) error {
		var answer struct {
			Collections []struct {
				Name, Level        string
				Readable, Entities int
			}
		}
		if err := c.call("GET", environment(a[0], "visible")+"?"+url.Values{"user": {a[1]}}.Encode(), nil, &answer); err != nil {
			return err
		}
		t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		for _, one := range answer.Collections {
			fmt.Fprintf(t, "%s\t%s\t%d of %d\n", one.Name, one.Level, one.Readable, one.Entities)
		}
		return t.Flush()
	})
}
