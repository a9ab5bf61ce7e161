package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"postern/engine"
	"postern/engine/store"
)

const pollAudit = time.Second

func auditCommand(s streams) *cobra.Command {
	c := &cobra.Command{Use: "audit", Short: "Read and verify who changed what"}
	c.AddCommand(auditTailCommand(s), auditVerifyCommand(s))
	return c
}

// An auditRecord is one record as the server tells of it.
type auditRecord struct {
	N                     int64
	At, Kind, By, Via     string
	Act                   string
	App, Collection, Item string
	Request, Network      string
	Before, After         json.RawMessage
	Count                 int64
}

// String is one line: when, who and how, what, and what it was and is.
func (r *auditRecord) String() string {
	b := fmt.Sprintf("%d %s %s: %s", r.N, r.At, r.By, r.Act)
	if how := strings.Join(slices.DeleteFunc([]string{r.Via, r.Network, r.Request}, func(t string) bool { return t == "" }), " "); how != "" {
		b = fmt.Sprintf("%d %s %s (%s): %s", r.N, r.At, r.By, how, r.Act)
	}
	if what := strings.Join(slices.DeleteFunc([]string{r.App, r.Collection, r.Item}, func(t string) bool { return t == "" }), "/"); what != "" {
		b += " " + what
	}
	if r.Count > 1 {
		b += fmt.Sprintf(" (%d)", r.Count)
	}
	text := func(side json.RawMessage) string {
		if side == nil {
			return "nothing"
		}
		return string(side)
	}
	if r.Before != nil || r.After != nil {
		b += " " + text(r.Before) + " -> " + text(r.After)
	}
	// Names may hold anything; a terminal is to see text.
	return strings.Map(func(c rune) rune {
		if c < ' ' || 0x7f <= c && c <= 0x9f {
			return '?'
		}
		return c
	}, b)
}

func auditTailCommand(s streams) *cobra.Command {
	var count int
	var follow, raw bool
	var filter [5]string
	names := [5]string{"app", "act", "by", "item", "kind"}
	c := sub("tail", "Print the last records of the audit, oldest first", 0, func(c *client, _ *cobra.Command, _ []string) error {
		if count < 0 {
			return usageError{errors.New("-n is a number of records")}
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		v := url.Values{}
		for i, name := range names {
			if filter[i] != "" {
				v.Set(name, filter[i])
			}
		}
		poll := time.NewTicker(pollAudit)
		defer poll.Stop()
		last := int64(-1)
		for {
			records, head, err := auditSince(c, v, last, count)
			if err != nil {
				return err
			}
			last = head
			for _, text := range slices.Backward(records) {
				if err := printAudit(s.out, text, raw); err != nil {
					return err
				}
			}
			if !follow {
				return nil
			}
			select {
			case <-ctx.Done():
				return nil
			case <-poll.C:
			}
		}
	})
	f := c.Flags()
	f.IntVarP(&count, "number", "n", 50, "how many records")
	f.BoolVarP(&follow, "follow", "f", false, "go on with what comes, until interrupted")
	f.BoolVar(&raw, "json", false, "print each record as JSON")
	for i, help := range [5]string{"only what is about this app", "only acts that begin with this", "only what was done by who begins with this", "only what is about this item or collection", "only this kind: change, login, denied or master"} {
		f.StringVar(&filter[i], names[i], "", help)
	}
	return c
}

// auditSince returns the records after last, newest first, and the number of the last
// record there is. last -1: there is no last, the newest count of them are meant.
func auditSince(c *client, filter url.Values, last int64, count int) (records []json.RawMessage, head int64, err error) {
	before := int64(0)
	for {
		v := url.Values{"limit": {"500"}}
		for name := range filter {
			v[name] = filter[name]
		}
		if before > 0 {
			v.Set("before", strconv.FormatInt(before, 10))
		}
		var answer struct {
			Head    struct{ N int64 }
			Records []json.RawMessage
			Next    int64
		}
		if err := c.call("GET", "/v4/audit?"+v.Encode(), nil, &answer); err != nil {
			return nil, 0, err
		}
		if before == 0 {
			head = answer.Head.N
		}
		for _, text := range answer.Records {
			var r auditRecord
			if err := json.Unmarshal(text, &r); err != nil {
				return nil, 0, err
			}
			if last < 0 && len(records) == count || r.N <= last {
				return records, head, nil
			}
			records = append(records, text)
		}
		if answer.Next == 0 || last >= 0 && answer.Next-1 <= last || last < 0 && len(records) == count {
			return records, head, nil
		}
		before = answer.Next
	}
}

func printAudit(w io.Writer, text json.RawMessage, raw bool) error {
	if raw {
		_, err := fmt.Fprintln(w, string(text))
		return err
	}
	var r auditRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, r.String())
	return err
}

func auditVerifyCommand(s streams) *cobra.Command {
	var known string
	c := &cobra.Command{
		Use:   "verify",
		Short: "Verify every record of the audit; exit code 10 when one was changed, removed, added or moved",
		Long: `Verify every record of the audit, of a running server or of a data directory that no
server has open. Each record carries the hash of the one before, and the store's own
log carries the last one's.

Who can write to the directory could make all of that anew. The server says in its log
from time to time how far the audit has come ("audit head n=.. hash=.."). With --head
it is verified that it has come to such a line: keep the log on another machine.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var head engine.AuditHead
			if known != "" {
				var err error
				if head, err = engine.ParseAuditHead(known); err != nil {
					return usageError{errors.New("--head is N:HASH, as in the log")}
				}
			}
			dir, _ := cmd.Flags().GetString("data")
			r, err := verifyAudit(cmd, dir, head)
			if err != nil {
				return err
			}
			if !r.OK {
				fmt.Fprintf(s.out, "record %d: %s\n", r.FaultAt, r.Fault)
				return errProblems
			}
			_, err = fmt.Fprintf(s.out, "ok: %d records from %d on, head %s\n", r.Records, r.From, r.Head)
			return err
		},
	}
	c.Flags().StringVar(&known, "head", "", "verify that the audit has come to this `N:HASH` of an earlier log line")
	return c
}

// verifyAudit looks at a directory, or asks the server that runs on it.
func verifyAudit(cmd *cobra.Command, dir string, known engine.AuditHead) (engine.AuditReport, error) {
	var r engine.AuditReport
	if _, err := os.Stat(dir); err != nil {
		return r, err
	}
	driver, err := store.OpenBadger(dir, store.Options{})
	if errors.Is(err, store.ErrLocked) {
		return askAudit(newClient(cmd), known)
	}
	if err != nil {
		return r, err
	}
	r, err = engine.VerifyAudit(context.Background(), driver, known)
	return r, errors.Join(err, driver.Close())
}

func askAudit(c *client, known engine.AuditHead) (engine.AuditReport, error) {
	var answer struct {
		OK            bool
		Records, From uint64
		Head          struct {
			N    uint64
			Hash string
		}
		Fault struct {
			N      uint64
			Reason string
		}
	}
	path := "/v4/audit/verify"
	if known.N > 0 {
		n, hash, _ := strings.Cut(known.String(), ":")
		path += "?" + url.Values{"n": {n}, "hash": {hash}}.Encode()
	}
	if err := c.call("GET", path, nil, &answer); err != nil {
		return engine.AuditReport{}, err
	}
	head, err := engine.ParseAuditHead(fmt.Sprintf("%d:%s", answer.Head.N, answer.Head.Hash))
	return engine.AuditReport{OK: answer.OK, Records: answer.Records, From: answer.From, Head: head, FaultAt: answer.Fault.N, Fault: answer.Fault.Reason}, err
}
