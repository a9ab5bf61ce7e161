package engine

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"
)

// What the fast path finds is what the router finds, and it finds the URLs that
// it is for.
func TestQuickFindsWhatTheRouterFinds(t *testing.T) {
	var fast quick
	var reached *mounted
	m := router.New()
	m.RedirectTrailingSlash, m.RedirectFixedPath = false, false
	for _, route := range (&Engine{}).routes() {
		mounted := &mounted{route: route, names: paramNames(route.path)}
		m.Handle(route.method, route.path, func(*fasthttp.RequestCtx) { reached = mounted })
		fast.learn(mounted)
	}
	if fast.list == nil || fast.count == nil || fast.one == nil || fast.many == nil {
		t.Fatalf("the table has not all of its routes: %+v", fast)
	}
	words := []string{"appdata", "appdat", "user", "k", "c", "_count", "_count2", "_group", "_deltaset", "_", "_x", "x", "%5Fcount", "a%2Fb", "login", "..", "é"}
	methods := []string{"GET", "GET", "GET", "POST", "PUT", "DELETE", "HEAD"}
	r := rand.New(rand.NewPCG(1, 2))
	found := map[*mounted]int{}
	for range 200_000 {
		parts := make([]string, 1+r.IntN(5))
		for i := range parts {
			parts[i] = words[r.IntN(len(words))]
		}
		if r.IntN(2) == 0 {
			parts[0] = "appdata"
		}
		path, method := "/"+strings.Join(parts, "/"), methods[r.IntN(len(methods))]
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.Header.SetMethod(method)
		ctx.Request.SetRequestURI(path + "?query={}")
		got, at := fast.find(ctx)
		if got == nil {
			if method == "GET" && parts[0] == "appdata" && (len(parts) == 3 || len(parts) == 4 && (parts[3][0] != '_' || parts[3] == "_count")) ||
				method == "POST" && parts[0] == "appdata" && len(parts) == 3 {
				t.Fatalf("%s %s is left to the router", method, path)
			}
			continue
		}
		found[got]++
		reached = nil
		m.Handler(ctx)
		if reached != got {
			t.Fatalf("%s %s is %s %s, for the router it is %+v", method, path, got.method, got.path, reached)
		}
		for i, name := range got.names {
			if want, _ := ctx.UserValue(name).(string); string(at[i]) != want {
				t.Fatalf("%s %s: %s is %q, for the router it is %q", method, path, name, at[i], want)
			}
		}
	}
	for _, m := range []*mounted{fast.list, fast.count, fast.one, fast.many} {
		if found[m] < 100 {
			t.Errorf("%s was found %d times: the test sees nothing", m.path, found[m])
		}
	}
}
