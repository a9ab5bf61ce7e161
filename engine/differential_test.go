package engine_test

import (
	"flag"
	"testing"
	"time"

	"postern/engine"
	"postern/engine/model"
)

var (
	seedFlag     = flag.Uint64("seed", 0, "seed of the random tests; 0 takes the fixed one")
	requestsFlag = flag.Int("requests", 100_000, "requests of the differential test")
)

// seed returns the seed of a random test and prints it.
func seed(t *testing.T) uint64 {
	n := *seedFlag
	if n == 0 {
		n = 20261123
	}
	t.Logf("seed %d (repeat with -seed)", n)
	return n
}

// ticking is a clock that goes on by a millisecond whenever somebody looks. With
// delta sets a server waits for the clock between an answer and a change, which
// takes most of the time when that is the real one.
func ticking(c *clock) func() time.Time {
	return func() time.Time {
		c.Add(time.Millisecond)
		return c.Now()
	}
}

// The server and a naive model, written from the contract alone, get the same
// random requests from random subjects; status, error, body, count and order
// must agree.
func TestServerAgreesWithModel(t *testing.T) {
	n := *requestsFlag
	if testing.Short() {
		n = min(n, 5000)
	}
	worlds := uint64(0)
	model.Drive(t, seed(t), n, func() model.Server {
		world := worlds
		worlds++
		s := start(t, func(o *options) {
			o.noApp = true
			if model.Deltas(world) && world%10 != 0 {
				o.config.Clock = ticking(newClock())
			}
		})
		apps := []model.App{
			{Key: "kid_one", Name: "One", Secret: appSecret, MasterSecret: masterSecret, UsersCreateGroups: true},
			{Key: "kid_two", Name: "Two", Secret: "c0000000000000000000000000000003", MasterSecret: "d0000000000000000000000000000004"},
		}
		for _, a := range apps {
			mode := "master"
			if a.UsersCreateGroups {
				mode = "users"
			}
			_, err := s.e.CreateApp(engine.NewApp{Key: a.Key, Name: a.Name, AppSecret: a.Secret, MasterSecret: a.MasterSecret,
				Options: engine.AppOptions{GroupCreation: mode}})
			if err != nil {
				t.Fatal(err)
			}
		}
		return model.Server{Apps: apps, Close: s.stop, Do: func(req model.Request) (int, map[string]string, []byte) {
			var headers []string
			authorization := ""
			for k, v := range req.Header {
				if k == "Authorization" {
					authorization = v
				} else {
					headers = append(headers, k, v)
				}
			}
			a := s.do(req.Method, req.Path, authorization, string(req.Body), headers...)
			return a.status, a.header, a.body
		}}
	})
	if t.Failed() {
		return
	}
	t.Logf("figure: %d requests compared with the model, seed %d", n, seed(t))
}
