package engine_test

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the answers of the conversations anew")

// The use cases of the guide as conversations: files of requests (>) and the
// answers that are expected (<). Somebody who is named for the first time signs
// up; $name is his id. Times are written TIME. -update writes the answers; the
// review reads the difference.
//
// "= Name: value" sets a header of the requests that follow. "& name member.member"
// keeps a value of the last answer, or a header of it: %name is that value in requests and answers
// from there on, and a request by %name presents it as a session token.
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversations/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no conversations:", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := converse(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n")
			for i := range min(len(w), len(g)) {
				if w[i] != g[i] {
					t.Fatalf("%s:%d\ngot  %s\nwant %s", file, i+1, g[i], w[i])
				}
			}
			if len(w) != len(g) {
				t.Fatalf("%s has %d lines, the conversation %d", file, len(w), len(g))
			}
		})
	}
}

var (
	timePattern = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
	namePattern = regexp.MustCompile(`\$[a-z]+`)
	isToken     = regexp.MustCompile(`^[0-9a-f-]{36}\.`)
	keptPattern = regexp.MustCompile(`%[a-z]+`)
	idPattern   = regexp.MustCompile(`"(_id|creator|username)":"([0-9a-f]{24}|[0-9a-f-]{36})"`)
	uuidPattern = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(\.[A-Za-z0-9+/]{43}=)?`)
)

// converse plays a conversation and returns it with the answers it got.
func converse(t *testing.T, script string) string {
	s := start(t)
	users := map[string]user{}
	who := func(name string) user {
		u, ok := users[name]
		if !ok {
			u = s.signUp(name)
			users[name] = u
		}
		return u
	}
	headers := []string{"X-Kinvey-Api-Version", "5"}
	kept := map[string]string{}
	var last answer
	var out bytes.Buffer
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		request, isRequest := strings.CutPrefix(line, "> ")
		if !isRequest {
			if !strings.HasPrefix(line, "< ") {
				fmt.Fprintln(&out, line)
			}
			if header, ok := strings.CutPrefix(line, "= "); ok {
				name, value, _ := strings.Cut(header, ": ")
				headers = append(headers, name, value)
			}
			if keep, ok := strings.CutPrefix(line, "& "); ok {
				name, path, _ := strings.Cut(keep, " ")
				value, ok := last.header[path]
				if !ok {
					value, ok = get(last.json(t), strings.Split(path, ".")...).(string)
				}
				if !ok {
					t.Fatalf("%s: not in %v %s", line, last.header, last.body)
				}
				kept[name] = value
			}
			continue
		}
		fmt.Fprintln(&out, line)
		request = namePattern.ReplaceAllStringFunc(request, func(name string) string { return who(name[1:]).id })
		request = keptPattern.ReplaceAllStringFunc(request, func(name string) string {
			if value, ok := kept[name[1:]]; ok {
				return value
			}
			return name
		})
		parts := strings.SplitN(request, " ", 4)
		body := ""
		if len(parts) == 4 {
			body = parts[3]
		}
		var authorization string
		switch parts[0] {
		case "nobody":
		case "app":
			authorization = asApp
		case "master":
			authorization = asMaster
		default:
			if isToken.MatchString(parts[0]) {
				authorization = "Kinvey " + parts[0]
			} else {
				authorization = who(parts[0]).session()
			}
		}
		a := s.do(parts[1], parts[2], authorization, body, headers...)
		last = a
		answer := string(a.body)
		if a.status >= 400 {
			answer = a.error(t)
		}
		for name, u := range users {
			answer = strings.ReplaceAll(answer, u.id, "$"+name)
		}
		for name, value := range kept {
			if timePattern.MatchString(value) {
				continue // the same time may stand there by chance
			}
			answer = strings.ReplaceAll(answer, value, "%"+name)
		}
		answer = idPattern.ReplaceAllString(answer, `"$1":"ID"`)
		answer = timePattern.ReplaceAllString(answer, "TIME")
		answer = uuidPattern.ReplaceAllString(answer, "RANDOM")
		fmt.Fprintln(&out, strings.TrimSpace(fmt.Sprintf("< %d %s", a.status, answer)))
	}
	return out.String()
}
