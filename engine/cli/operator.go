package cli

import "github.com/spf13/cobra"

func operatorCommand(s streams) *cobra.Command {
	var role string
	add := sub("add EMAIL", "Make an operator; the password is read from standard input", 1, func(c *client, cmd *cobra.Command, a []string) error {
		password, err := readSecret(cmd)
		if err != nil {
			return err
		}
		return c.show(s, "POST", "/v4/operators", map[string]string{"email": a[0], "password": password, "role": role})
	})
	add.Aliases = []string{"create"}
	add.Flags().StringVar(&role, "role", "owner", "viewer (looks), editor (changes what apps hold) or owner (changes apps, secrets and operators)")
	at := func(email string, rest ...string) string {
		return path(append([]string{"v4", "operators", email}, rest...)...)
	}
	return parent("operator", "Operators of the server", add,
		sub("list", "List the operators", 0, func(c *client, _ *cobra.Command, _ []string) error {
			return c.show(s, "GET", "/v4/operators", nil)
		}),
		sub("role EMAIL ROLE", "Set the role: viewer, editor or owner; ends all sessions", 2, func(c *client, _ *cobra.Command, a []string) error {
			return c.show(s, "PUT", at(a[0]), map[string]string{"role": a[1]})
		}),
		sub("password EMAIL", "Set the password, read from standard input; ends all sessions", 1, func(c *client, cmd *cobra.Command, a []string) error {
			password, err := readSecret(cmd)
			if err != nil {
				return err
			}
			return c.show(s, "PUT", at(a[0]), map[string]string{"password": password})
		}),
		sub("remove EMAIL", "Remove an operator; the last owner stays", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.call("DELETE", at(a[0]), nil, nil)
		}),
		sub("totp-off EMAIL", "Take the authenticator of an operator away who has lost it; ends all sessions", 1, func(c *client, _ *cobra.Command, a []string) error {
			return c.call("DELETE", at(a[0], "totp"), nil, nil)
		}),
	)
}
