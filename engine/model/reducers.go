package model

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// The functions that client libraries generate to aggregate with, each as a
// text for the server and as code for the model. FIELD is where the name of a
// field goes.
var reducers = []struct {
	text    string
	initial string
	do      func(out accumulator, v any)
}{
	{`function(doc, out) { out.count += 1; return out; }`, `{"count":0}`, counting("count")},
	{`function(doc, out) { out.result += 1; }`, `{"result":0}`, counting("result")},
	{`function(doc,out){ out._result++; }`, `{"_result":0}`, incrementing("_result")},
	{`function(doc,out) { out.count++; }`, `{"count":0}`, incrementing("count")},
	{`function(doc, prev) { prev.n++; }`, `{"n":0}`, incrementing("n")},

	{`function(doc, out) { out.sum += doc["FIELD"]; return out; }`, `{"sum":0}`, summing("sum")},
	{`function(doc, out) { out.result += doc["FIELD"]; }`, `{"result":0}`, summing("result")},
	{`function(doc,out){ out._result = out._result + doc.FIELD; }`, `{"_result":0}`, summing("_result")},
	{`function(doc,out) { out.sum += doc.FIELD; }`, `{"sum":0.0}`, summing("sum")},

	{`function(doc, out) { out.min = Math.min(out.min, doc["FIELD"]); return out; }`, `{"min":9007199254740991}`, least("min")},
	{`function(doc, out) { out.max = Math.max(out.max, doc["FIELD"]); return out; }`, `{"max":-9007199254740991}`, greatest("max")},
	{`function(doc, out) { out.result = Math.min(out.result, doc["FIELD"]); }`, `{"result":"Infinity"}`, least("result")},
	{`function(doc, out) { out.result = Math.max(out.result, doc["FIELD"]); }`, `{"result":"-Infinity"}`, greatest("result")},
	{`function(doc,out){ out._result = Math.min(out._result, doc.FIELD); }`, `{"_result":"Infinity"}`, least("_result")},
	{`function(doc,out){ out.result = Math.max(out.result, doc.FIELD); }`, `{"result":-2147483648}`, greatest("result")},

	{`function(doc, out) { out.average = (out.average * out.count + doc["FIELD"]) / (out.count + 1); out.count += 1; return out; }`,
		`{"count":0,"average":0}`, func(out accumulator, v any) {
			out["average"] = number(plus(number(out.get("average"))*number(out.get("count")), v)) / number(plus(out.get("count"), 1.0))
			out["count"] = plus(out.get("count"), 1.0)
		}},
	{`function(doc,out){ var count = (out._kcs_count == undefined) ? 0 : out._kcs_count; out._result = (out._result * count + doc.FIELD) / (count + 1); out._kcs_count = count + 1; }`,
		`{"_result":0}`, func(out accumulator, v any) {
			n := out.get("_kcs_count")
			if n == nil || n == (undefined{}) {
				n = 0.0
			}
			out["_result"] = number(plus(number(out.get("_result"))*number(n), v)) / number(plus(n, 1.0))
			out["_kcs_count"] = plus(n, 1.0)
		}},
	{`function(doc,out) { out.count++; out.sum += doc.FIELD; out.avg = out.sum / out.count; }`,
		`{"sum":0.0,"count":0}`, func(out accumulator, v any) {
			out["count"] = number(out.get("count")) + 1
			out["sum"] = plus(out.get("sum"), v)
			out["avg"] = number(out["sum"]) / number(out["count"])
		}},
	{`function(doc,out){ out.result = (((out.result * out.count) + doc.FIELD) / (out.count += 1)); }`,
		`{"result":0,"count":0}`, func(out accumulator, v any) {
			sum := number(plus(number(out.get("result"))*number(out.get("count")), v))
			out["count"] = plus(out.get("count"), 1.0)
			out["result"] = sum / number(out["count"])
		}},
}

func counting(name string) func(accumulator, any) {
	return func(out accumulator, _ any) { out[name] = plus(out.get(name), 1.0) }
}

func incrementing(name string) func(accumulator, any) {
	return func(out accumulator, _ any) { out[name] = number(out.get(name)) + 1 }
}

func summing(name string) func(accumulator, any) {
	return func(out accumulator, v any) { out[name] = plus(out.get(name), v) }
}

func least(name string) func(accumulator, any) {
	return func(out accumulator, v any) { out[name] = bound(math.Min, out.get(name), v) }
}

func greatest(name string) func(accumulator, any) {
	return func(out accumulator, v any) { out[name] = bound(math.Max, out.get(name), v) }
}

// reducerOf finds the function that a text is, and the field in it; nil when
// it is none of them.
func reducerOf(text string) (do func(accumulator, any), field string) {
	for _, r := range reducers {
		before, after, named := strings.Cut(r.text, "FIELD")
		rest, ok := strings.CutPrefix(text, before)
		if rest, ok2 := strings.CutSuffix(rest, after); ok && ok2 && named == (rest != "") &&
			strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz_") == "" {
			return r.do, rest
		}
	}
	return nil, ""
}

// An accumulator is what a reducer changes. What it has changed is a value of
// JavaScript: a float64, a string or undefined. The rest is JSON as it came.
type accumulator map[string]any

type undefined struct{}

func (out accumulator) get(name string) any {
	v, ok := out[name]
	if !ok {
		return undefined{}
	}
	return v
}

// shown is the accumulator in an answer, where numbers that are none are null.
func (out accumulator) shown() map[string]any {
	m := map[string]any{}
	for name, v := range out {
		switch f, isNumber := v.(float64); {
		case !isNumber:
			m[name] = plain(v)
		case math.IsNaN(f) || math.IsInf(f, 0):
			m[name] = nil
		default:
			m[name] = amount(f)
		}
	}
	return m
}

// number is what JavaScript takes a value for where it wants a number.
func number(v any) float64 {
	switch v := v.(type) {
	case nil:
		return 0
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		return v
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			panic(err)
		}
		return f
	case string:
		if v == "" {
			return 0
		}
		if strings.TrimLeft(v, "+-0123456789.") == "" || strings.TrimLeft(v, "+-") == "Infinity" {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				return f
			}
		}
		return math.NaN()
	case undefined:
		return math.NaN()
	}
	panic("a World adds up scalars only")
}

// plus is JavaScript's +.
func plus(a, b any) any {
	_, aText := a.(string)
	_, bText := b.(string)
	if aText || bText {
		return inText(a) + inText(b)
	}
	return number(a) + number(b)
}

func inText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case undefined:
		return "undefined"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	switch f := number(v); {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0" // and not -0
	default:
		return strconv.FormatFloat(f, 'f', -1, 64) // those of a World are not so large
	}
}

func bound(which func(a, b float64) float64, a, b any) float64 {
	x, y := number(a), number(b)
	if math.IsNaN(x) || math.IsNaN(y) {
		return math.NaN()
	}
	return which(x, y)
}
