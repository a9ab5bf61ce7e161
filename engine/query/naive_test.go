package query_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

type member struct {
	name  string
	value any
}

type object []member

type missing struct{}

func decode(text string) any {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v := decodeValue(d)
	if d.More() {
		panic("more than one value: " + text)
	}
	return v
}

func decodeValue(d *json.Decoder) any {
	token, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch token {
	case json.Delim('{'):
		o := object{}
		for d.More() {
			name, _ := d.Token()
			o = append(o, member{name.(string), decodeValue(d)})
		}
		d.Token()
		return o
	case json.Delim('['):
		a := []any{}
		for d.More() {
			a = append(a, decodeValue(d))
		}
		d.Token()
		return a
	}
	return token
}

func (o object) get(name string) any {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return missing{}
}

func naiveRank(v any) int {
	switch v.(type) {
	case missing, nil:
		return 0
	case json.Number:
		return 1
	case string:
		return 2
	case object:
		return 3
	case []any:
		return 4
	case bool:
		return 5
	}
	panic(fmt.Sprintf("%T", v))
}

func naiveCompare(a, b any) int {
	if naiveRank(a) != naiveRank(b) {
		return naiveRank(a) - naiveRank(b)
	}
	switch a := a.(type) {
	case json.Number:
		x, _ := new(big.Rat).SetString(string(a))
		y, _ := new(big.Rat).SetString(string(b.(json.Number)))
		return x.Cmp(y)
	case string:
		return strings.Compare(a, b.(string))
	case bool:
		if a == b.(bool) {
			return 0
		} else if a {
			return 1
		}
		return -1
	case []any:
		b := b.([]any)
		for i := range min(len(a), len(b)) {
			if c := naiveCompare(a[i], b[i]); c != 0 {
				return c
			}
		}
		return len(a) - len(b)
	case object:
		b := b.(object)
		for i := range min(len(a), len(b)) {
			if c := naiveRank(a[i].value) - naiveRank(b[i].value); c != 0 {
				return c
			}
			if c := strings.Compare(a[i].name, b[i].name); c != 0 {
				return c
			}
			if c := naiveCompare(a[i].value, b[i].value); c != 0 {
				return c
			}
		}
		return len(a) - len(b)
	}
	return 0
}

// naiveReach lists the values that a path leads to from an object.
func naiveReach(o object, path []string) []any {
	v := o.get(path[0])
	if len(path) == 1 {
		return []any{v}
	}
	switch v := v.(type) {
	case object:
		return naiveReach(v, path[1:])
	case []any:
		return naiveThrough(v, path[1:])
	}
	return []any{missing{}}
}

// indexed is a value that the end of a path names by its index: its elements
// are not among what the path reaches.
type indexed struct{ value any }

func naiveThrough(array []any, path []string) (found []any) {
	for i, e := range array {
		if o, ok := e.(object); ok {
			found = append(found, naiveReach(o, path)...)
		}
		if path[0] != strconv.Itoa(i) {
			continue
		}
		if len(path) == 1 {
			found = append(found, indexed{e})
			continue
		}
		switch e := e.(type) {
		case object:
			found = append(found, naiveReach(e, path[1:])...)
		case []any:
			found = append(found, naiveThrough(e, path[1:])...)
		}
	}
	return found
}

func naiveMatch(filter, doc object) bool {
	for _, m := range filter {
		switch m.name {
		case "$and":
			for _, f := range m.value.([]any) {
				if !naiveMatch(f.(object), doc) {
					return false
				}
			}
		case "$or":
			found := false
			for _, f := range m.value.([]any) {
				found = found || naiveMatch(f.(object), doc)
			}
			if !found {
				return false
			}
		case "$nor":
			for _, f := range m.value.([]any) {
				if naiveMatch(f.(object), doc) {
					return false
				}
			}
		default:
			reached := naiveReach(doc, strings.Split(m.name, "."))
			var values []any
			for i, v := range reached {
				if x, ok := v.(indexed); ok {
					reached[i] = x.value
					values = append(values, x.value)
					continue
				}
				if a, ok := v.([]any); ok {
					values = append(values, a...)
				}
				values = append(values, v)
			}
			ops, isOps := naiveOperators(m.value)
			if !isOps {
				ops = object{{"$eq", m.value}}
			}
			if !naiveAll(ops, reached, values) {
				return false
			}
		}
	}
	return true
}

func naiveOperators(v any) (object, bool) {
	o, ok := v.(object)
	return o, ok && len(o) > 0 && strings.HasPrefix(o[0].name, "$")
}

func naiveAll(ops object, reached, values []any) bool {
	for _, op := range ops {
		if !naiveOperator(op.name, op.value, reached, values) {
			return false
		}
	}
	return true
}

// naiveType is one of the numbers that $type knows.
func naiveType(v any) string {
	switch v := v.(type) {
	case nil:
		return "10"
	case string:
		return "2"
	case bool:
		return "8"
	case object:
		return "3"
	case []any:
		return "4"
	case json.Number:
		x, _ := new(big.Rat).SetString(string(v))
		switch {
		case !x.IsInt() || !x.Num().IsInt64():
			return "1"
		case x.Num().Int64() == int64(int32(x.Num().Int64())):
			return "16"
		}
		return "18"
	}
	return ""
}

// naiveWhole cuts off the fraction of a number.
func naiveWhole(v any) *big.Int {
	x, _ := new(big.Rat).SetString(string(v.(json.Number)))
	return new(big.Int).Quo(x.Num(), x.Denom())
}

// naiveOperator knows the values that a path reached, and these with the
// elements of the arrays among them.
func naiveOperator(name string, operand any, reached, values []any) bool {
	some := func(holds func(v any) bool) bool {
		for _, v := range values {
			if holds(v) {
				return true
			}
		}
		return false
	}
	equals := func(operand any) func(any) bool {
		return func(v any) bool { return naiveCompare(v, operand) == 0 }
	}
	ranged := func(wanted func(c int) bool) bool {
		return some(func(v any) bool {
			return naiveRank(v) == naiveRank(operand) && wanted(naiveCompare(v, operand))
		})
	}
	switch name {
	case "$eq":
		return some(equals(operand))
	case "$ne":
		return !some(equals(operand))
	case "$gt":
		return ranged(func(c int) bool { return c > 0 })
	case "$gte":
		return ranged(func(c int) bool { return c >= 0 })
	case "$lt":
		return ranged(func(c int) bool { return c < 0 })
	case "$lte":
		return ranged(func(c int) bool { return c <= 0 })
	case "$in", "$nin":
		in := false
		for _, o := range operand.([]any) {
			in = in || some(equals(o))
		}
		return in == (name == "$in")
	case "$not":
		return !naiveAll(operand.(object), reached, values)
	case "$all":
		for _, o := range operand.([]any) {
			if e, ok := naiveOperators(o); ok && !naiveAll(e, reached, values) {
				return false
			} else if !ok && !some(equals(o)) {
				return false
			}
		}
		return len(operand.([]any)) > 0
	case "$size":
		for _, v := range reached {
			if a, ok := v.([]any); ok && naiveCompare(json.Number(strconv.Itoa(len(a))), operand) == 0 {
				return true
			}
		}
		return false
	case "$elemMatch":
		for _, v := range reached {
			a, _ := v.([]any)
			for _, e := range a {
				ops, isOps := naiveOperators(operand)
				o, isObject := e.(object)
				if isOps && ops[0].name != "$and" && ops[0].name != "$or" && ops[0].name != "$nor" {
					if naiveAll(ops, []any{e}, []any{e}) {
						return true
					}
				} else if isObject && naiveMatch(operand.(object), o) {
					return true
				}
			}
		}
		return false
	case "$type":
		return some(func(v any) bool { return naiveType(v) == fmt.Sprint(operand) })
	case "$mod":
		pair := operand.([]any)
		return some(func(v any) bool {
			if _, ok := v.(json.Number); !ok {
				return false
			}
			n := naiveWhole(v)
			return n.IsInt64() && n.Rem(n, naiveWhole(pair[0])).Cmp(naiveWhole(pair[1])) == 0
		})
	case "$exists":
		there := some(func(v any) bool { return v != missing{} })
		if number, ok := operand.(json.Number); ok {
			operand = naiveCompare(number, json.Number("0")) != 0
		}
		return there == operand.(bool)
	}
	panic(name)
}
