package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/valyala/fasthttp"

	"postern/engine"
)

// reads measures filtered reads of a user who sees one in a hundred entities of
// a private collection, each against a static reply of the same bytes by the
// same HTTP library.
func reads(dir string) error {
	s, err := startServer(filepath.Join(dir, "reads"))
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.fill("reads", *entities, s.users); err != nil {
		return err
	}
	me := s.clients(1)[0]
	id, err := firstID(me)
	if err != nil {
		return err
	}
	requests := []struct{ name, path string }{
		{"page of 100", "/appdata/" + appKey + "/reads?limit=100"},
		{"page of 100 by score", "/appdata/" + appKey + "/reads?sort=score&limit=100"},
		{"count", "/appdata/" + appKey + "/reads/_count"},
		{"get", "/appdata/" + appKey + "/reads/" + id},
	}
	var all []*series
	var sizes []int
	for _, q := range requests {
		status, body, err := me.do("GET", q.path, nil)
		if err != nil || status != 200 {
			return fmt.Errorf("%s: status %d %w", q.name, status, err)
		}
		body = bytes.Clone(body)
		if err := check(q.name, body); err != nil {
			return err
		}
		static, err := startStatic(body)
		if err != nil {
			return err
		}
		defer static.Shutdown()
		sizes = append(sizes, len(body))
		all = append(all, get("static", static.address, "", q.path, body), get(q.name, s.address, me.authorization, q.path, body))
	}
	if err := interleave(all); err != nil {
		return err
	}
	fmt.Printf("filtered reads, 32 connections, a user who sees 1 %% of %d private entities (medians of %d rounds)\n", *entities, *rounds)
	for i, q := range requests {
		static, ours := all[2*i].median(), all[2*i+1].median()
		fmt.Printf("  %-24s %9.0f/s  %5.2f of a static reply of %d bytes (%.0f/s)\n", q.name, ours, ours/static, sizes[i], static)
	}
	return nil
}

// firstID finds an entity that the client may read.
func firstID(c *client) (string, error) {
	_, body, err := c.do("GET", "/appdata/"+appKey+"/reads?limit=1", nil)
	if err != nil {
		return "", err
	}
	var list []struct {
		ID string `json:"_id"`
	}
	if err := json.Unmarshal(body, &list); err != nil || len(list) != 1 {
		return "", fmt.Errorf("no entity to read in %s: %w", body, err)
	}
	return list[0].ID, nil
}

// check sees to it that what is timed is the right answer.
func check(name string, body []byte) error {
	want := *entities / 100
	switch name {
	case "count":
		if string(body) != fmt.Sprintf(`{"count":%d}`, want) {
			return fmt.Errorf("count: %s, want %d", body, want)
		}
	case "get":
	default:
		return checkPage(name, body, want)
	}
	return nil
}

// checkPage does so for a page of at most 100 of so many entities.
func checkPage(name string, body []byte, of int) error {
	var list []struct{ Score int }
	if err := json.Unmarshal(body, &list); err != nil || len(list) != min(100, of) {
		return fmt.Errorf("%s: %d entities (%w)", name, len(list), err)
	}
	sorted := slices.IsSortedFunc(list, func(a, b struct{ Score int }) int { return a.Score - b.Score })
	if name == "page of 100 by score" && !sorted {
		return fmt.Errorf("%s is not sorted", name)
	}
	return nil
}

// get is the series of one request over 32 connections; the answers must stay
// as they were.
func get(name, address, authorization, path string, want []byte) *series {
	return &series{name: name, measure: func() (float64, error) {
		clients := make([]*client, 32)
		for i := range clients {
			clients[i] = newClient(address, authorization)
		}
		defer closeAll(clients)
		return loop(len(clients), func(w, _ int) error {
			status, body, err := clients[w].do("GET", path, nil)
			if err == nil && (status != 200 || len(body) != len(want)) {
				err = fmt.Errorf("status %d, %d bytes", status, len(body))
			}
			return err
		})
	}}
}

type static struct {
	fasthttp.Server
	address string
}

// startStatic serves one body whatever is asked.
func startStatic(body []byte) (*static, error) {
	l, err := engine.Listen("127.0.0.1:0", nil, false)
	if err != nil {
		return nil, err
	}
	s := &static{address: l.Addr().String()}
	s.NoDefaultServerHeader = true
	s.Handler = func(ctx *fasthttp.RequestCtx) {
		ctx.Response.Header.SetContentType("application/json; charset=utf-8")
		ctx.Response.SetBodyRaw(body)
	}
	go func() { _ = s.Serve(l) }()
	return s, nil
}
