package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
)

// A JSON value is nil, bool, json.Number, string, []any or Object. Objects
// keep their order, because it counts when two are compared.
type (
	// Object is a JSON object in the order of its text.
	Object []Member
	// Member is one name and its value.
	Member struct {
		Name  string
		Value any
	}
)

// missing stands for what is not there.
type missing struct{}

func (o Object) get(name string) any {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return missing{}
}

var errNotJSON = errors.New("not JSON")

// ParseJSON reads one JSON value. A name that an object has twice is an error.
func ParseJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errNotJSON
	}
	return v, nil
}

func parseValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, errNotJSON
	}
	switch t {
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if t, err := d.Token(); err != nil || t != json.Delim(']') {
			return nil, errNotJSON
		}
		return list, nil
	case json.Delim('{'):
		o := Object{}
		for d.More() {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok || o.get(name) != (missing{}) {
				return nil, errNotJSON
			}
			v, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			o = append(o, Member{name, v})
		}
		if t, err := d.Token(); err != nil || t != json.Delim('}') {
			return nil, errNotJSON
		}
		return o, nil
	case json.Delim(']'), json.Delim('}'):
		return nil, errNotJSON
	}
	return t, nil
}

// typeOf is the place of a value's type in the order of types.
func typeOf(v any) int {
	switch v.(type) {
	case nil, missing:
		return 1
	case json.Number:
		return 2
	case string:
		return 3
	case Object:
		return 4
	case []any:
		return 5
	case bool:
		return 6
	}
	return 0 // emptyArray, in a sort
}

// compare orders any two values (rule "order").
func compare(a, b any) int {
	if c := typeOf(a) - typeOf(b); c != 0 {
		return c
	}
	switch a := a.(type) {
	case json.Number:
		return compareNumbers(string(a), string(b.(json.Number)))
	case string:
		return strings.Compare(a, b.(string))
	case bool:
		switch {
		case a == b.(bool):
			return 0
		case a:
			return 1
		}
		return -1
	case []any:
		b := b.([]any)
		for i := range min(len(a), len(b)) {
			if c := compare(a[i], b[i]); c != 0 {
				return c
			}
		}
		return len(a) - len(b)
	case Object:
		b := b.(Object)
		for i := range min(len(a), len(b)) {
			if c := typeOf(a[i].Value) - typeOf(b[i].Value); c != 0 {
				return c
			}
			if c := strings.Compare(a[i].Name, b[i].Name); c != 0 {
				return c
			}
			if c := compare(a[i].Value, b[i].Value); c != 0 {
				return c
			}
		}
		return len(a) - len(b)
	}
	return 0
}

// A decimal is a number as 0.digits * 10^exponent; digits neither begins nor
// ends with a zero, and is empty for the number 0.
type decimal struct {
	negative bool
	digits   string
	exponent *big.Int
}

func decimalOf(text string) decimal {
	var d decimal
	text, d.negative = strings.CutPrefix(text, "-")
	text, power, _ := strings.Cut(strings.ToLower(text), "e")
	d.exponent = new(big.Int)
	if power != "" {
		d.exponent.SetString(strings.TrimPrefix(power, "+"), 10)
	}
	whole, fraction, _ := strings.Cut(text, ".")
	d.exponent.Add(d.exponent, big.NewInt(int64(len(whole))))
	d.digits = whole + fraction
	for strings.HasPrefix(d.digits, "0") {
		d.digits = d.digits[1:]
		d.exponent.Sub(d.exponent, big.NewInt(1))
	}
	d.digits = strings.TrimRight(d.digits, "0")
	if d.digits == "" {
		return decimal{exponent: new(big.Int)} // -0 is 0
	}
	return d
}

// compareNumbers orders two numbers by value, exactly, however they are written.
func compareNumbers(x, y string) int {
	if x == y {
		return 0
	}
	a, b := decimalOf(x), decimalOf(y)
	sign := func(d decimal) int {
		switch {
		case d.digits == "":
			return 0
		case d.negative:
			return -1
		}
		return 1
	}
	if c := sign(a) - sign(b); c != 0 {
		return c
	}
	if c := a.exponent.Cmp(b.exponent); c != 0 {
		return c * sign(a)
	}
	return strings.Compare(a.digits, b.digits) * sign(a)
}

// truncated is the number without its fraction; ok is false when it needs more
// than 64 bits.
func truncated(text string) (n int64, ok bool) {
	d := decimalOf(text)
	if d.exponent.Sign() <= 0 {
		return 0, true
	}
	if d.exponent.Cmp(big.NewInt(20)) > 0 {
		return 0, false
	}
	length := int(d.exponent.Int64())
	whole := (d.digits + strings.Repeat("0", length))[:length]
	if d.negative {
		whole = "-" + whole
	}
	b, _ := new(big.Int).SetString(whole, 10)
	return b.Int64(), b.IsInt64()
}

// whole is the number if it has no fraction and fits 64 bits.
func whole(v any) (n int64, ok bool) {
	number, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	n, ok = truncated(string(number))
	return n, ok && compareNumbers(string(number), big.NewInt(n).String()) == 0
}
