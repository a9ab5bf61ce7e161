package cli

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/spf13/cobra"
)

// ordersCommand shows the orders of a collection, and changes what is pinned and
// forbidden.
func ordersCommand(s streams) *cobra.Command {
	var pin, unpin, forbid, allow []string
	c := sub("orders APP NAME", "List, pin and forbid the orders that queries are answered from", 2, func(c *client, _ *cobra.Command, a []string) error {
		path := environment(a[0], "collections", a[1], "orders")
		if len(pin)+len(unpin)+len(forbid)+len(allow) == 0 {
			return c.show(s, "GET", path, nil)
		}
		var now struct{ Pin, Forbid []string }
		if err := c.call("GET", path, nil, &now); err != nil {
			return err
		}
		var err error
		if now.Pin, err = edited(now.Pin, pin, unpin, "pinned"); err != nil {
			return err
		}
		if now.Forbid, err = edited(now.Forbid, forbid, allow, "forbidden"); err != nil {
			return err
		}
		return c.show(s, "PUT", path, map[string][]string{"pin": now.Pin, "forbid": now.Forbid})
	})
	// An order has commas in it, so these are no slices.
	c.Flags().StringArrayVar(&pin, "pin", nil, "keep the `order`, such as cat,-_kmd.lmt, used or not (repeat)")
	c.Flags().StringArrayVar(&unpin, "unpin", nil, "keep the `order` only while it is used (repeat)")
	c.Flags().StringArrayVar(&forbid, "forbid", nil, "never make the `order` (repeat)")
	c.Flags().StringArrayVar(&allow, "allow", nil, "take back that the `order` is forbidden (repeat)")
	return c
}

// edited returns list with some more and without others, which must be in it.
func edited(list, more, less []string, what string) ([]string, error) {
	out := append([]string{}, list...) // never null
	for _, name := range less {
		at := slices.Index(out, name)
		if at < 0 {
			return nil, fmt.Errorf("the order %q is not %s", name, what)
		}
		out = slices.Delete(out, at, at+1)
	}
	for _, name := range more {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

func explainCommand(s streams) *cobra.Command {
	var query, sort, as string
	var skip, limit int
	c := sub("explain-query APP COLLECTION", "Tell how a list is answered, from which index and at what cost", 2, func(c *client, _ *cobra.Command, a []string) error {
		v := url.Values{}
		for name, text := range map[string]string{"query": query, "sort": sort, "user": as} {
			if text != "" {
				v.Set(name, text)
			}
		}
		for name, n := range map[string]int{"skip": skip, "limit": limit} {
			if n != 0 {
				v.Set(name, strconv.Itoa(n))
			}
		}
		return c.show(s, "GET", environment(a[0], "collections", a[1], "explain-query")+"?"+v.Encode(), nil)
	})
	c.Flags().StringVar(&query, "query", "", "filter in `JSON`, as a list takes it")
	c.Flags().StringVar(&sort, "sort", "", "order in `JSON`, or a field")
	c.Flags().IntVar(&skip, "skip", 0, "entities left out at the beginning")
	c.Flags().IntVar(&limit, "limit", 0, "entities at most")
	c.Flags().StringVar(&as, "as", "", "`user` who asks, by id or name (default: the master)")
	return c
}
