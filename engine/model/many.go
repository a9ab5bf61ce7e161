package model

import (
	"encoding/json"
	"strings"

	"postern/acl/oracle"
)

// createMany inserts an array: each element as a request of its own would, but
// never over an id that is taken.
func (c *call) createMany() Response {
	if c.version < 5 {
		return refuse("FeatureUnavailable")
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(c.req.Body, &elements); err != nil {
		panic(err) // it was parsed before
	}
	if len(elements) == 0 {
		return refuse("BadRequest")
	}
	if len(elements) > 100 {
		return Response{Status: 413, Error: "BadRequest"}
	}
	if !c.may(oracle.Create, c.entities(), nil) {
		return refuse("InsufficientCredentials")
	}
	status := 201
	entities, failures := []any{}, []any{}
	for i, text := range elements {
		res := c.item(text, i).createOne()
		if res.Error == "" {
			entities = append(entities, res.Body)
			continue
		}
		status = 207
		entities = append(entities, nil)
		failures = append(failures, map[string]any{
			"index": json.Number(show(i)), "error": res.Error,
			"description": Check(isText), "debug": Check(isText),
		})
	}
	return answer(status, map[string]any{"entities": entities, "errors": failures})
}

// item is the call that would insert one element, with what the server
// answered about it.
func (c *call) item(text json.RawMessage, i int) *call {
	one := *c
	one.req.Body, one.real, one.complaints = text, nil, nil
	if c.real != nil && c.real.Status < 300 {
		m, _ := c.real.Body.(map[string]any)
		list, _ := m["entities"].([]any)
		if i < len(list) && list[i] != nil {
			one.real = &Response{Status: 201, Body: list[i]}
		}
	}
	return &one
}

func (c *call) createOne() Response {
	if !strings.HasPrefix(strings.TrimSpace(string(c.req.Body)), "{") {
		return refuse("BadRequest")
	}
	b, refusal := c.readBody()
	if refusal != nil {
		return *refusal
	}
	if c.entities().find(b.id) != nil {
		return refuse("KinveyInternalErrorRetry")
	}
	return answer(201, plain(c.create(c.entitiesForWrite(), b, b.id).doc()))
}

func isText(v any, present bool) string {
	if _, ok := v.(string); present && !ok {
		return "want a text"
	}
	return ""
}

// many is an array to insert.
func (w *World) many(d *draft, coll string) string {
	items := []string{}
	for range w.in(5) {
		if w.in(8) == 0 {
			items = append(items, w.pick("5", `"x"`, "null", "[]", `{"_id":5}`, `{"_acl":5}`, `{"_geoloc":[200,0]}`, `{"_id":"_count"}`))
		} else {
			items = append(items, w.entityBody(d, coll))
		}
	}
	return "[" + strings.Join(items, ",") + "]"
}
