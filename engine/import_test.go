package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"postern/acl"
	"postern/engine"
	"postern/engine/store"
)

// importBatch sends lines to the import route of a collection.
func (s *server) importBatch(collection, query, authorization string, lines ...string) engine.ImportResult {
	s.t.Helper()
	a := s.want(s.do("POST", "/v4/environments/"+kid+"/collections/"+collection+"/import"+query, authorization, strings.Join(lines, "\n")), 200, "")
	var r engine.ImportResult
	if err := json.Unmarshal(a.body, &r); err != nil {
		s.t.Fatalf("%s: %v", a.body, err)
	}
	return r
}

// importAll imports what is not there yet.
func (s *server) importAll(collection string, lines []string) engine.ImportResult {
	return s.importBatch(collection, "?onDuplicate=skip", asMaster, lines...)
}

// linesFrom hands out lines in one buffer that every call writes over.
func linesFrom(lines []string) func() ([]byte, error) {
	var b []byte
	return func() ([]byte, error) {
		for i := range b {
			b[i] = '#'
		}
		if len(lines) == 0 {
			return nil, io.EOF
		}
		b = append(b[:0], lines[0]...)
		lines = lines[1:]
		return b, nil
	}
}

func wantResult(t *testing.T, got engine.ImportResult, lines, imported, replaced, skipped, bad int) {
	t.Helper()
	want := engine.ImportResult{Lines: lines, Imported: imported, Replaced: replaced, Skipped: skipped, Bad: bad, Problems: got.Problems}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("result %+v, want %+v", got, want)
	}
}

// What a line says about its entity is what is stored, whoever could not say
// so in a request.
func TestImportKeeps(t *testing.T) {
	s := start(t)
	r := s.importBatch("box", "", asMaster,
		`{"_id":"whole","n":1.50,"_acl":{"creator":"u1","r":["u2"],"gr":false,"groups":{"w":["g"]},"x":1},"_kmd":{"ect":"2001-02-03T04:05:06.007Z","lmt":"2002-02-03T04:05:06.007Z"}}`,
		``,
		`{"_id":"bare"}`+"\r",
		`{"_id":null,"name":"made","_acl":null,"_kmd":null}`,
		`{"_id":"ect","_kmd":{"ect":"2001-02-03T04:05:06.007Z","local":true}}`, "")
	wantResult(t, r, 5, 4, 0, 0, 0)
	body := func(id string) string {
		return string(s.want(s.do("GET", "/appdata/"+kid+"/box/"+id, asMaster, ""), 200, "").body)
	}
	if got, want := body("whole"), `{"_id":"whole","n":1.50,"_acl":{"creator":"u1","r":["u2"],"gr":false,"groups":{"w":["g"]},"x":1},"_kmd":{"lmt":"2002-02-03T04:05:06.007Z","ect":"2001-02-03T04:05:06.007Z"}}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := body("bare"); !strings.Contains(got, `"_acl":{"creator":"`+kid+`"}`) {
		t.Errorf("without _acl: %s", got)
	}
	if got := body("ect"); !strings.Contains(got, `"ect":"2001-02-03T04:05:06.007Z"`) || strings.Contains(got, `"lmt":"2001`) {
		t.Errorf("with ect alone: %s", got)
	}
	a := s.want(s.do("GET", "/appdata/"+kid+`/box?query={"name":"made"}`, asMaster, ""), 200, "")
	if made := ids(t, a); len(made) != 1 || len(made[0]) != 24 {
		t.Errorf("without _id: %s", a.body)
	}
}

// Every kind of bad line is told with its number; the good ones around it are
// imported.
func TestImportBadLines(t *testing.T) {
	s := start(t)
	big := strings.Repeat("x", 1<<20)
	names := strings.TrimSuffix(strings.Repeat(`"u",`, acl.MaxPrincipals+1), ",")
	bad := []struct{ line, reason string }{
		{`{"a":`, "not JSON"},
		{`nonsense`, "not JSON"},
		{`{"a":1}{"b":2}`, "not JSON"},
		{`[{"a":1}]`, "must be a JSON object"},
		{`"text"`, "must be a JSON object"},
		{`{"a":1,"a":2}`, "refused at byte"},
		{`{"$a":1}`, "refused at byte"},
		{`{"a.b":1}`, "refused at byte"},
		{"{\"a\":\"\xff\"}", "not JSON"},
		{`{"_id":"big","text":"` + big + `"}`, "at most 1048576 bytes"},
		{`{"_id":"row","text":"` + big[:1000<<10] + `"}`, "with its _acl has at most"},
		{`{"_id":7}`, "_id must be a string"},
		{`{"_id":""}`, "an _id is"},
		{`{"_id":"_count"}`, "an _id is"},
		{`{"_id":{"$oid":"5f"}}`, "refused at byte"},
		{`{"_acl":{"r":"u"}}`, "acl"},
		{`{"_acl":{"creator":7}}`, "acl"},
		{`{"_acl":[]}`, "acl"},
		{`{"_acl":{"r":[` + names + `]}}`, "acl"},
		{`{"_geoloc":[200,0]}`, "Geolocation"},
		{`{"_kmd":{"ect":"yesterday"}}`, "_kmd.ect must be a time"},
		{`{"_kmd":{"lmt":12}}`, "_kmd.lmt must be a time"},
		{`{"_kmd":7}`, "_kmd must be an object"},
		{`{"_id":"taken"}`, "already exists"},
		{`{"_id":"good0"}`, "already exists"},
	}
	s.want(s.do("POST", "/appdata/"+kid+"/box", asMaster, `{"_id":"taken"}`), 201, "")
	var lines []string
	for i, b := range bad {
		lines = append(lines, fmt.Sprintf(`{"_id":"good%d"}`, i), b.line)
	}
	r := s.importBatch("box", "", asMaster, lines...)
	wantResult(t, r, 2*len(bad), len(bad), 0, 0, len(bad))
	if len(r.Problems) != len(bad) {
		t.Fatalf("%d problems of %d", len(r.Problems), len(bad))
	}
	for i, p := range r.Problems {
		if p.Line != 2*i+2 || !strings.Contains(p.Reason, bad[i].reason) {
			t.Errorf("problem %d: line %d: %s, want line %d: %s", i, p.Line, p.Reason, 2*i+2, bad[i].reason)
		}
	}
	s.wantBody(s.do("GET", "/appdata/"+kid+"/box/_count", asMaster, ""), fmt.Sprintf(`{"count":%d}`, len(bad)+1))

	many := s.importBatch("box", "", asMaster, strings.Split(strings.Repeat("{\n", 1500), "\n")...)
	if many.Bad != 1500 || len(many.Problems) != 100 || many.Problems[99].Line != 100 {
		t.Errorf("%d bad, %d of them told", many.Bad, len(many.Problems))
	}
}

// A file in which every _id comes twice, far enough from each other to be on
// their way at the same time, and of which half was there before.
func TestImportDuplicates(t *testing.T) {
	const n = 1300
	for _, c := range []struct {
		mode                             string
		imported, replaced, skipped, bad int
		before, after                    string // what is there of an entity that was there, and of one that was not
	}{
		{"", n / 2, 0, 0, n + n/2, "before", "first"},
		{"fail", n / 2, 0, 0, n + n/2, "before", "first"},
		{"skip", n / 2, 0, n + n/2, 0, "before", "first"},
		{"replace", n / 2, n + n/2, 0, 0, "second", "second"},
	} {
		t.Run(c.mode, func(t *testing.T) {
			s := start(t)
			line := func(i int, text string, day int) string {
				return fmt.Sprintf(`{"_id":"e%d","text":%q,"_acl":{"creator":"u"},"_kmd":{"ect":"2001-01-01T00:00:00.000Z","lmt":"2001-01-%02dT00:00:00.000Z"}}`, i, text, day)
			}
			for i := range n / 2 {
				if err := s.e.PutDocument(kid, "box", "", []byte(line(i, "before", 1))); err != nil {
					t.Fatal(err)
				}
			}
			var lines []string
			for day, text := range []string{"first", "second"} {
				for i := range n {
					lines = append(lines, line(i, text, day+2))
				}
			}
			wantResult(t, s.importBatch("box", "?onDuplicate="+c.mode, asMaster, lines...), 2*n, c.imported, c.replaced, c.skipped, c.bad)
			for i, want := range map[int]string{0: c.before, n/2 - 1: c.before, n / 2: c.after, n - 1: c.after} {
				v := s.want(s.do("GET", fmt.Sprintf("/appdata/%s/box/e%d", kid, i), asMaster, ""), 200, "").json(t)
				if got := get(v, "text"); got != want {
					t.Errorf("e%d is the %v, want the %v", i, got, want)
				}
				if lmt := get(v, "_kmd", "lmt"); want == "second" && lmt != "2001-01-03T00:00:00.000Z" {
					t.Errorf("e%d was replaced and has lmt %v", i, lmt)
				}
			}
		})
	}
	s := start(t)
	s.refused(s.do("POST", "/v4/environments/"+kid+"/collections/box/import?onDuplicate=merge", asMaster, "{}"), 400, "ParameterValueOutOfRange")
}

// A line without _acl leaves the one of the entity that it replaces, as any
// update does.
func TestImportReplacesWithoutACL(t *testing.T) {
	s := start(t)
	s.importBatch("box", "", asMaster, `{"_id":"e","_acl":{"creator":"u1","r":["u2"]},"_kmd":{"ect":"2001-01-01T00:00:00.000Z"}}`)
	s.importBatch("box", "?onDuplicate=replace", asMaster, `{"_id":"e","n":2}`)
	v := s.want(s.do("GET", "/appdata/"+kid+"/box/e", asMaster, ""), 200, "").json(t)
	if get(v, "_acl", "creator") != "u1" || get(v, "_kmd", "ect") != "2001-01-01T00:00:00.000Z" || get(v, "n") != json.Number("2") {
		t.Errorf("%v", v)
	}
}

// With check the lines are decided as they would be and nothing is written.
func TestImportCheck(t *testing.T) {
	s := start(t, func(o *options) { o.config.NoSamples = true }) // the master's use is told in a record of its own
	lines := []string{`{"_id":"a"}`, `{`, `{"_id":"b"}`, `{"_id":"there"}`}
	seq, _ := s.driver.Head()
	wantResult(t, s.importBatch("box", "?check=true", asMaster, lines...), 4, 3, 0, 0, 1)
	s.importBatch("box", "", asMaster, `{"_id":"there"}`)
	wantResult(t, s.importBatch("box", "?check=true", asMaster, lines...), 4, 2, 0, 0, 2)
	wantResult(t, s.importBatch("box", "?check=true&onDuplicate=skip", asMaster, lines...), 4, 2, 0, 1, 1)
	wantResult(t, s.importBatch("box", "?check=true&onDuplicate=replace", asMaster, lines...), 4, 2, 1, 0, 1)
	if now, _ := s.driver.Head(); now != seq+1 {
		t.Errorf("%d records were written, want that of one entity", now-seq)
	}
}

// What was imported is held to the rules like everything else, for lists,
// counts and single entities.
func TestImportedPermissions(t *testing.T) {
	s := start(t)
	alice, bob, carol := s.signUp("alice"), s.signUp("bob"), s.signUp("carol")
	s.want(s.do("PUT", "/group/"+kid+"/g", asMaster, fmt.Sprintf(`{"users":{"list":[{"_id":%q}]}}`, carol.id)), 201, "")
	s.setLevel("box", "append-only")
	var lines []string
	for i := range 2000 {
		lines = append(lines, fmt.Sprintf(`{"_id":"a%d","_acl":{"creator":%q}}`, i, alice.id))
	}
	lines = append(lines,
		fmt.Sprintf(`{"_id":"shown","_acl":{"creator":%q,"r":[%q]}}`, alice.id, bob.id),
		fmt.Sprintf(`{"_id":"lent","_acl":{"creator":%q,"groups":{"w":["g"]}}}`, alice.id),
		`{"_id":"masters"}`)
	if r, err := s.e.Import(kid, "box", linesFrom(lines)); err != nil || r.Imported != len(lines) {
		t.Fatalf("%+v, %v", r, err)
	}
	count := func(who user, n int) {
		t.Helper()
		s.wantBody(s.do("GET", "/appdata/"+kid+"/box/_count", who.session(), ""), fmt.Sprintf(`{"count":%d}`, n))
	}
	count(alice, 2002)
	count(bob, 1)
	one := func(id string) string { return "/appdata/" + kid + "/box/" + id }
	s.want(s.do("GET", one("a7"), bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("DELETE", one("shown"), bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("GET", one("shown"), bob.session(), ""), 200, "")
	s.want(s.do("GET", one("masters"), bob.session(), ""), 401, "InsufficientCredentials")
	s.want(s.do("PUT", one("lent"), carol.session(), `{"n":2}`), 200, "")
	s.want(s.do("DELETE", one("a7"), alice.session(), ""), 200, "")
	s.refused(s.do("POST", "/v4/environments/"+kid+"/collections/box/import", alice.session(), `{}`), 401, "InsufficientCredentials")
}

// Reserved collections have routes of their own.
func TestImportIntoReserved(t *testing.T) {
	s := start(t)
	for _, name := range []string{"user", "group", "_blob"} {
		a := s.do("POST", "/v4/environments/"+kid+"/collections/"+name+"/import", asMaster, `{"_id":"x"}`)
		if a.status != 403 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if _, err := s.e.Import(kid, name, linesFrom([]string{`{}`})); err == nil {
			t.Errorf("%s: imported", name)
		}
	}
	if _, err := s.e.Import("kid_none", "box", linesFrom([]string{`{}`})); err == nil {
		t.Error("an app that does not exist: imported")
	}
}

// An import that a failure ends early has told the truth about what is there.
func TestImportEndsEarly(t *testing.T) {
	broken := errors.New("the file ends in the middle")
	s := start(t)
	lines := linesFrom([]string{`{"_id":"a"}`, `{"_id":"b"}`})
	r, err := s.e.Import(kid, "box", func() ([]byte, error) {
		line, err := lines()
		if err != nil {
			err = broken
		}
		return line, err
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v, want that of the reader", err)
	}
	wantResult(t, r, 2, 2, 0, 0, 0)
	s.wantBody(s.do("GET", "/appdata/"+kid+"/box/_count", asMaster, ""), `{"count":2}`)
}

// A store that takes no more ends the import, which does not take that for
// the fault of a line; the same lines again make it whole.
func TestImportOnFailingStore(t *testing.T) {
	const n = 20 * 512
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf(`{"_id":"e%d","_acl":{"creator":"u"}}`, i))
	}
	for name, kind := range map[string]store.FaultKind{"no space": store.FaultNoSpace, "written": store.FaultWritten, "lost": store.FaultLost} {
		t.Run(name, func(t *testing.T) {
			log := durableKeep{store.NewMemory()}
			start(t, onDriver(log)).stop()
			fault := store.NewFault(log, 1, store.FaultPlan{Script: append(make([]store.FaultKind, 5), kind)})
			s := start(t, onDriver(fault), func(o *options) { o.noCheck = true })
			r, err := s.e.Import(kid, "box", linesFrom(lines))
			if err == nil || r.Bad > 0 || r.Imported == 0 || r.Imported == n {
				t.Errorf("%+v, %v", r, err)
			}
			s.stop()

			s = start(t, onDriver(log))
			acked := r.Imported
			r = s.importAll("box", lines)
			if r.Imported+r.Skipped != n || r.Skipped < acked {
				t.Errorf("%d were acknowledged, then %+v", acked, r)
			}
			s.wantBody(s.do("GET", "/appdata/"+kid+"/box/_count", asMaster, ""), fmt.Sprintf(`{"count":%d}`, n))
		})
	}
}
