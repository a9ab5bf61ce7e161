package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// previewCommand tells what a change would do before it is made.
func previewCommand(s streams) *cobra.Command {
	var level, id, acl, group string
	c := &cobra.Command{
		Use: "preview APP [COLLECTION]", Short: "Tell who would gain or lose what by another level, _acl or group; nothing is saved", Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, a []string) error {
			var body any
			path := environment(a[0], "preview")
			switch {
			case len(a) == 2 && level != "" && acl == "" && group == "":
				body = map[string]string{"level": level}
			case len(a) == 2 && id != "" && acl != "" && level == "" && group == "":
				body = map[string]any{"_id": id, "_acl": json.RawMessage(acl)}
			case len(a) == 1 && group != "" && level == "" && acl == "":
				body = json.RawMessage(group)
			default:
				return usageError{errors.New("it is COLLECTION --level, COLLECTION --id --acl, or --group")}
			}
			if len(a) == 2 {
				path = environment(a[0], "collections", a[1], "preview")
			}
			var answer struct {
				Entities int
				effect
			}
			if err := newClient(cmd).call("POST", path, body, &answer); err != nil {
				return err
			}
			fmt.Fprintf(s.out, "%d users, %d entities, in pairs of one of each:\n", answer.Users, answer.Entities)
			return answer.print(s.out)
		},
	}
	f := c.Flags()
	f.StringVar(&level, "level", "", "the `level` that the collection would have")
	f.StringVar(&id, "id", "", "the entity whose _acl would change")
	f.StringVar(&acl, "acl", "", "the _acl that it would have, in `JSON`")
	f.StringVar(&group, "group", "", "the group as it would be, in `JSON` with _id, users and groups")
	return c
}

// An effect is who would gain and lose what, in pairs of a user and an entity.
type effect struct {
	Users       int
	Read, Write struct{ Gain, Lose int }
	Samples     []struct {
		Right, Collection, Before, After string
		ID                               string `json:"_id"`
		Gains                            bool
		User                             party
		Users                            int
	}
}

func (e *effect) print(out io.Writer) error {
	fmt.Fprintf(out, "read   %d gained, %d lost\nwrite  %d gained, %d lost\n", e.Read.Gain, e.Read.Lose, e.Write.Gain, e.Write.Lose)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, one := range e.Samples {
		sign, who := "-", one.User.String()
		if one.Gains {
			sign = "+"
		}
		if one.Users > 1 {
			who = fmt.Sprintf("%s and %d like him", who, one.Users-1)
		}
		fmt.Fprintf(t, "%s %s\t%s\t%s/%s\t%s\tthen %s\n", sign, one.Right, who, one.Collection, one.ID, one.Before, one.After)
	}
	return t.Flush()
}
