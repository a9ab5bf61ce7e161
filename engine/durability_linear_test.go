package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearOp is one request of a history and what came of it.
type linearOp struct {
	act   string
	value string // written, or read
	out   int    // status
}

// linearRun lets clients act on one thing at the same time and returns the
// history. act sends one request; the order of calls and returns is counted,
// not timed.
func linearRun(seed, n uint64, clients, each int, act func(r *rand.Rand, client, i int) linearOp) []porcupine.Operation {
	var now atomic.Int64
	ops := make([][]porcupine.Operation, clients)
	var wg sync.WaitGroup
	for c := range clients {
		r := rand.New(rand.NewPCG(seed, n<<8|uint64(c)))
		wg.Go(func() {
			for i := range each {
				call := now.Add(1)
				op := act(r, c, i)
				ops[c] = append(ops[c], porcupine.Operation{ClientId: c, Call: call, Output: op, Return: now.Add(1)})
			}
		})
	}
	wg.Wait()
	var all []porcupine.Operation
	for _, o := range ops {
		all = append(all, o...)
	}
	return all
}

func linearCheck(t *testing.T, n uint64, model porcupine.Model, history []porcupine.Operation) {
	t.Helper()
	model.DescribeOperation = nil
	if r := porcupine.CheckOperationsTimeout(model, history, 20*time.Second); r != porcupine.Ok {
		text := ""
		for _, o := range history {
			text += fmt.Sprintf("\nclient %d [%d, %d] %+v", o.ClientId, o.Call, o.Return, o.Output)
		}
		t.Errorf("history %d is not linearizable (%s):%s", n, r, text)
	}
}

// linearEntity is one entity: its value, "" when there is none.
var linearEntity = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, _, output any) (bool, any) {
		was, op := state.(string), output.(linearOp)
		switch op.act {
		case "create":
			if was == "" {
				return op.out == 201, op.value
			}
			return op.out == 500, was // taken
		case "put":
			return op.out == map[bool]int{true: 201, false: 200}[was == ""], op.value
		case "delete":
			return op.out == map[bool]int{true: 404, false: 200}[was == ""], ""
		case "delete by query":
			return op.out == 200 && op.value == map[bool]string{true: `{"count":0}`, false: `{"count":1}`}[was == ""], ""
		case "get":
			return op.out == map[bool]int{true: 404, false: 200}[was == ""] && op.value == was, was
		default: // list
			return op.out == 200 && op.value == was, was
		}
	},
}

// Concurrent requests on one entity behave as if each happened at one moment
// between its call and its answer.
func TestEntityIsLinearizable(t *testing.T) {
	first, histories := seed(t), uint64(300)
	if testing.Short() {
		histories = 40
	}
	s := start(t)
	alice := s.signUp("alice")
	for n := range histories {
		path, id := "/appdata/"+kid+"/box", fmt.Sprint("e", n)
		value := func(b []byte) string {
			_, v, _ := bytes.Cut(b, []byte(`"v":"`))
			v, _, _ = bytes.Cut(v, []byte(`"`))
			return string(v)
		}
		history := linearRun(first, n, 4, 14, func(r *rand.Rand, c, i int) linearOp {
			v := fmt.Sprintf("%d.%d", c, i)
			switch r.IntN(8) {
			case 0:
				a := s.do("POST", path, alice.session(), `{"_id":"`+id+`","v":"`+v+`"}`, "X-Kinvey-Api-Version", "5")
				return linearOp{"create", v, a.status}
			case 1, 2:
				a := s.do("PUT", path+"/"+id, alice.session(), `{"v":"`+v+`"}`)
				return linearOp{"put", v, a.status}
			case 3:
				return linearOp{"delete", "", s.do("DELETE", path+"/"+id, alice.session(), "").status}
			case 4:
				a := s.do("DELETE", path+`?query={"_id":"`+id+`"}`, alice.session(), "")
				return linearOp{"delete by query", string(a.body), a.status}
			case 5, 6:
				a := s.do("GET", path+"/"+id, alice.session(), "")
				return linearOp{"get", value(a.body), a.status}
			default:
				a := s.do("GET", path+`?query={"_id":"`+id+`"}`, alice.session(), "")
				return linearOp{"list", value(a.body), a.status}
			}
		})
		linearCheck(t, n, linearEntity, history)
		if t.Failed() {
			break
		}
	}
	t.Logf("figure: linearizability: %d histories of 56 requests on one entity", histories)
}

// linearGrants is what lets bob at an entity: a grant to him, his group in the
// ACL always, his membership, the level.
type linearGrants struct{ direct, member, nested, open bool }

var linearRights = porcupine.Model{
	Init: func() any { return linearGrants{} },
	Step: func(state, _, output any) (bool, any) {
		g, op := state.(linearGrants), output.(linearOp)
		on := op.value == "on"
		switch op.act {
		case "grant":
			g.direct = on
		case "member":
			g.member = on
		case "nested":
			g.nested = on
		case "level":
			g.open = on
		case "write":
			return op.out == map[bool]int{true: 200, false: 401}[g.direct || g.member || g.nested], g
		case "read":
			return op.out == map[bool]int{true: 200, false: 401}[g.direct || g.member || g.nested || g.open], g
		default: // list, count
			return (op.value == "seen") == (g.direct || g.member || g.nested || g.open), g
		}
		return op.out == 200, g
	},
}

// Granting, revoking, joining, leaving and the use of the right: whoever starts
// after a revocation was answered does not see or write any more.
func TestRightsAreLinearizable(t *testing.T) {
	first, histories := seed(t), uint64(300)
	if testing.Short() {
		histories = 40
	}
	s := start(t)
	alice, bob := s.signUp("alice"), s.signUp("bob")
	for n := range histories {
		box := fmt.Sprint("box", n)
		path := "/appdata/" + kid + "/" + box
		group := func(name, text string) int {
			return s.do("PUT", fmt.Sprintf("/group/%s/%s%d", kid, name, n), asMaster, text).status
		}
		group("g", `{"groups":["h`+fmt.Sprint(n)+`"]}`)
		group("h", `{}`)
		group("x", `{}`)
		acl := func(who string) string {
			return fmt.Sprintf(`{"s":"s3cr3t","_acl":{"r":[%[1]s],"w":[%[1]s],"groups":{"r":["g%[2]d"],"w":["g%[2]d"]}}}`, who, n)
		}
		s.setLevel(box, "private")
		s.want(s.do("PUT", path+"/e", alice.session(), acl("")), 201, "")
		history := linearRun(first, n, 5, 12, func(r *rand.Rand, c, i int) linearOp {
			on := []string{"on", "off"}[r.IntN(2)]
			one := map[string]string{"on": `"` + bob.id + `"`, "off": ""}[on]
			switch k := r.IntN(14); {
			case k == 0:
				return linearOp{"grant", on, s.do("PUT", path+"/e", alice.session(), acl(one)).status}
			case k == 1 || k == 2:
				return linearOp{"member", on, group("g", `{"users":{"list":[`+one+`]},"groups":["h`+fmt.Sprint(n)+`"]}`)}
			case k == 3:
				return linearOp{"nested", on, group("h", `{"users":{"list":[`+one+`]}}`)}
			case k == 4:
				level := map[string]string{"on": "append-read", "off": "append-only"}[on]
				return linearOp{"level", on, s.do("PUT", "/v4/environments/"+kid+"/collections/"+box, asMaster, `{"permissions":"`+level+`"}`).status}
			case k == 5: // a group that grants nothing changes too
				group("x", `{"users":{"list":["`+fmt.Sprint(i)+`"]}}`)
				fallthrough
			case k < 9:
				return linearOp{"write", "", s.do("PUT", path+"/e", bob.session(), `{"s":"s3cr3t"}`).status}
			case k < 12:
				return linearOp{"read", "", s.do("GET", path+"/e", bob.session(), "").status}
			default:
				a := s.do("GET", path, bob.session(), "")
				if bytes.Contains(a.body, []byte("s3cr3t")) {
					return linearOp{"list", "seen", a.status}
				}
				return linearOp{"list", "", a.status}
			}
		})
		linearCheck(t, n, linearRights, history)
		if t.Failed() {
			break
		}
	}
	t.Logf("figure: linearizability: %d histories of 60 requests on one right", histories)
}
