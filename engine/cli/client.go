package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// client speaks to a running server through the socket in its data directory.
type client struct {
	http *http.Client
}

func newClient(cmd *cobra.Command) *client {
	dir, _ := cmd.Flags().GetString("data")
	return &client{http: &http.Client{Transport: &http.Transport{
		DialContext:     func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, dir) },
		IdleConnTimeout: 30 * time.Second, // before the server closes it
	}}}
}

// call sends a request with an optional JSON body and decodes the answer into
// out, unless out is nil. An error answer becomes an error with its text.
func (c *client) call(method, path string, body, out any) error {
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		in = bytes.NewReader(b)
	}
	answer, err := c.open(method, path, in)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, answer)
		return err
	}
	return json.NewDecoder(answer).Decode(out)
}

// open sends a request and returns the body of a good answer.
func (c *client) open(method, path string, body io.Reader) (io.ReadCloser, error) {
	req, err := http.NewRequest(method, "http://postern"+path, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(req)
	if err != nil {
		if u := new(url.Error); asURLError(err, &u) {
			err = u.Err
		}
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var e struct{ Error, Code, Description, Debug string }
	if err := json.NewDecoder(answer.Body).Decode(&e); err != nil {
		return nil, fmt.Errorf("the server answered %s", answer.Status)
	}
	text := strings.TrimSpace(e.Error + e.Code + ": " + e.Description)
	if e.Debug != "" {
		text += " (" + e.Debug + ")"
	}
	return nil, fmt.Errorf("%s", text)
}

func asURLError(err error, u **url.Error) bool {
	e, ok := err.(*url.Error)
	*u = e
	return ok
}

// show prints what the server answered, indented.
func (c *client) show(s streams, method, path string, body any) error {
	var out json.RawMessage
	if err := c.call(method, path, body, &out); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, out, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.out, b.String())
	return err
}

func shortHash(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:6])
}
