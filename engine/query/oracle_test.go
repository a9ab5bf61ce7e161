package query_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/engine/query"
)

// The matcher and the order once more, written plainly on what encoding/json
// makes of the text, to compare the real ones with. Objects become lists of
// members, because their order counts.

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 takes one from the clock")

func TestMain(m *testing.M) {
	flag.Parse()
	if *seedFlag == 0 {
		*seedFlag = uint64(time.Now().UnixNano())
	}
	os.Exit(m.Run())
}

// newRand returns a source that the test log names.
func newRand(t *testing.T) *rand.Rand {
	t.Logf("to repeat: -seed=%d", *seedFlag)
	return rand.New(rand.NewPCG(*seedFlag, 0))
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

// Few names and few values, so that they meet often.

func randomName(r *rand.Rand) string { return pick(r, "a", "b", "0", "1", "c") }

func randomScalar(r *rand.Rand) string {
	return pick(r, `null`, `true`, `false`, `0`, `-0.0`, `1`, `-1.5`, `3e9`, `1e30`, `1.0`, `10e-1`, `2`, `-1`, `9007199254740993`, `9007199254740992`,
		`"a"`, `"\u0061"`, `"b"`, `""`, `"é"`, `"\u00e9"`)
}

func randomValue(r *rand.Rand, depth int) string {
	var b bytes.Buffer
	switch k := r.IntN(6); {
	case depth > 0 && k < 2:
		b.WriteByte('[')
		for i := range r.IntN(4) {
			if i > 0 {
				b.WriteString(pick(r, ",", " , "))
			}
			b.WriteString(randomValue(r, depth-1))
		}
		b.WriteByte(']')
	case depth > 0 && k < 4:
		b.WriteString(randomObject(r, depth))
	default:
		b.WriteString(randomScalar(r))
	}
	return b.String()
}

func randomObject(r *rand.Rand, depth int) string {
	var b bytes.Buffer
	b.WriteByte('{')
	used := map[string]bool{}
	for range r.IntN(4) {
		name := randomName(r)
		if used[name] {
			continue
		}
		if len(used) > 0 {
			b.WriteByte(',')
		}
		used[name] = true
		spelled := `"` + name + `"`
		if r.IntN(8) == 0 {
			spelled = fmt.Sprintf(`"\u%04x"`, name[0])
		}
		b.WriteString(spelled + pick(r, ":", " : ") + randomValue(r, depth-1))
	}
	b.WriteByte('}')
	return b.String()
}

func randomPath(r *rand.Rand) string {
	path := pick(r, "a", "b", "c")
	for r.IntN(2) == 0 && len(path) < 8 {
		path += "." + randomName(r)
	}
	return path
}

func randomFilter(r *rand.Rand, depth int) string {
	parts := map[string]string{}
	for range 1 + r.IntN(2) {
		if depth > 0 && r.IntN(5) == 0 {
			var inner []string
			for range 1 + r.IntN(3) {
				inner = append(inner, randomFilter(r, depth-1))
			}
			parts[pick(r, "$and", "$or", "$nor")] = "[" + strings.Join(inner, ",") + "]"
			continue
		}
		if r.IntN(3) == 0 {
			parts[randomPath(r)] = randomValue(r, 2)
			continue
		}
		parts[randomPath(r)] = randomOperators(r, depth)
	}
	return join(parts)
}

// randomOperators returns an object of operators on a path or an element.
func randomOperators(r *rand.Rand, depth int) string {
	ops := map[string]string{}
	names := []string{"$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$all", "$size", "$type", "$mod"}
	if depth > 0 {
		names = append(names, "$not", "$elemMatch")
	}
	for range 1 + r.IntN(2) {
		switch op := pick(r, names...); op {
		case "$in", "$nin", "$all":
			var values []string
			for range r.IntN(4) {
				values = append(values, randomValue(r, 2))
			}
			ops[op] = "[" + strings.Join(values, ",") + "]"
			if op == "$all" && depth > 0 && r.IntN(3) == 0 {
				ops[op] = `[{"$elemMatch":` + randomOperators(r, 0) + `},{"$elemMatch":` + randomFilter(r, 0) + `}]`
			}
		case "$exists":
			ops[op] = pick(r, "true", "false")
		case "$size":
			ops[op] = pick(r, "0", "1", "2", "2.0", "3")
		case "$type":
			ops[op] = pick(r, "1", "2", "3", "4", "8", "10", "16", "18")
		case "$mod":
			ops[op] = pick(r, "[2,0]", "[2,1]", "[-3,1]", "[9007199254740992,1]", "[2.5,0]")
		case "$not":
			ops[op] = randomOperators(r, depth-1)
		case "$elemMatch":
			ops[op] = randomOperators(r, depth-1)
			if r.IntN(2) == 0 {
				ops[op] = randomFilter(r, depth-1)
			}
		default:
			ops[op] = randomValue(r, 2)
		}
	}
	return join(ops)
}

func join(parts map[string]string) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		list = append(list, strconv.Quote(name)+":"+parts[name])
	}
	return "{" + strings.Join(list, ",") + "}"
}

func TestMatchAgreesWithTheNaiveMatcher(t *testing.T) {
	r := newRand(t)
	filters := 25_000
	if testing.Short() {
		filters = 2_000
	}
	pairs, matches := 0, 0
	for range filters {
		text := randomFilter(r, 2)
		f, err := query.ParseFilter([]byte(text))
		if err != nil && strings.Contains(err.Error(), "more than 64 conditions") {
			continue // it is long
		}
		if err != nil {
			t.Fatalf("ParseFilter(%s) = %v", text, err)
		}
		plain := decode(text).(object)
		for range 10 {
			d := randomObject(r, 4)
			want := naiveMatch(plain, decode(d).(object))
			if got := f.Match(doc(t, d)); got != want {
				t.Fatalf("%s on %s = %v; want %v", text, d, got, want)
			}
			pairs++
			if want {
				matches++
			}
		}
	}
	t.Logf("%d pairs, %d matches", pairs, matches)
	if matches < pairs/20 || matches > pairs*19/20 {
		t.Errorf("%d of %d pairs match: the test looks at one side only", matches, pairs)
	}
}
