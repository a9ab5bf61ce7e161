package query

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"

	"postern/engine/document"
)

// A valueKind is what a jsValue is.
type valueKind uint8

const (
	undefinedValue valueKind = iota // the zero jsValue
	nullValue
	boolValue
	numberValue
	textValue
	nestedValue // an object or an array
)

// A jsValue is a value as JavaScript sees it. A nested one borrows the document
// that it is from; nothing ever looks inside it but its conversion to text.
type jsValue struct {
	kind   valueKind
	number float64 // of a number; 1 or 0 of a boolean
	text   string
	nested document.Value
}

func number(f float64) jsValue { return jsValue{kind: numberValue, number: f} }

// jsValueOf converts a value of a document; Missing becomes undefined.
func jsValueOf(v document.Value) jsValue {
	switch v.Kind() {
	case document.Null:
		return jsValue{kind: nullValue}
	case document.Bool:
		if v.Bool() {
			return jsValue{kind: boolValue, number: 1}
		}
		return jsValue{kind: boolValue}
	case document.Number:
		f, _ := strconv.ParseFloat(string(v.Raw()), 64) // out of range: an infinity or 0, as in JavaScript
		return number(f)
	case document.String:
		return jsValue{kind: textValue, text: v.Text()}
	case document.Array, document.Object:
		return jsValue{kind: nestedValue, nested: v}
	}
	return jsValue{}
}

// truthy is what a condition makes of the value.
func (v jsValue) truthy() bool {
	switch v.kind {
	case boolValue, numberValue:
		return v.number != 0 && !math.IsNaN(v.number)
	case textValue:
		return v.text != ""
	}
	return v.kind == nestedValue
}

// appendJSON appends the value as JSON.stringify writes it; an undefined one
// is for the caller to leave out.
func (v jsValue) appendJSON(dst []byte) []byte {
	switch v.kind {
	case boolValue:
		return strconv.AppendBool(dst, v.number != 0)
	case numberValue:
		if math.IsNaN(v.number) || math.IsInf(v.number, 0) {
			return append(dst, "null"...)
		}
		return appendNumber(dst, v.number)
	case textValue:
		return document.AppendQuote(dst, v.text)
	case nestedValue:
		return append(dst, v.nested.Raw()...)
	}
	return append(dst, "null"...)
}

// appendNumber appends a number as JavaScript converts it to text.
func appendNumber(dst []byte, f float64) []byte {
	switch abs := math.Abs(f); {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	case f == 0:
		return append(dst, '0') // -0, too
	case 1e-6 <= abs && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes two digits of the exponent at least, JavaScript one.
	if n := len(dst); dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst = append(dst[:n-2], dst[n-1])
	}
	return dst
}

// primitive converts a nested value to text, as every operator does first. It
// is false where JavaScript throws: an object that has a member toString of its
// own, which no JSON makes a function.
func (v jsValue) primitive() (jsValue, bool) {
	if v.kind != nestedValue {
		return v, true
	}
	text, ok := appendPrimitive(nil, v.nested)
	return jsValue{kind: textValue, text: string(text)}, ok
}

func appendPrimitive(dst []byte, v document.Value) ([]byte, bool) {
	switch v.Kind() {
	case document.Object:
		return append(dst, "[object Object]"...), v.Get("toString").Kind() == document.Missing
	case document.Array:
		first := true
		for element := range v.Elements() {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			if element.Kind() == document.Null {
				continue
			}
			var ok bool
			if dst, ok = appendPrimitive(dst, element); !ok {
				return dst, false
			}
		}
		return dst, true
	}
	return jsValueOf(v).appendText(dst), true
}

// appendText appends what a value that is not nested says.
func (v jsValue) appendText(dst []byte) []byte {
	switch v.kind {
	case undefinedValue:
		return append(dst, "undefined"...)
	case nullValue:
		return append(dst, "null"...)
	case boolValue:
		return strconv.AppendBool(dst, v.number != 0)
	case numberValue:
		return appendNumber(dst, v.number)
	}
	return append(dst, v.text...)
}

// toNumber converts a value that is not nested.
func (v jsValue) toNumber() float64 {
	switch v.kind {
	case undefinedValue:
		return math.NaN()
	case textValue:
		return numberFrom(v.text)
	}
	return v.number // null is 0
}

// numberFrom reads a text as JavaScript converts it to a number: NaN when it is
// none, 0 when there is nothing but white space.
func numberFrom(text string) float64 {
	text = strings.TrimFunc(text, func(r rune) bool {
		return '\t' <= r && r <= '\r' || r == 0xFEFF || r == 0x2028 || r == 0x2029 || unicode.Is(unicode.Zs, r)
	})
	switch text {
	case "":
		return 0
	case "Infinity", "+Infinity":
		return math.Inf(1)
	case "-Infinity":
		return math.Inf(-1)
	}
	if len(text) > 2 && text[0] == '0' {
		base := 0
		switch text[1] {
		case 'x', 'X':
			base = 16
		case 'o', 'O':
			base = 8
		case 'b', 'B':
			base = 2
		}
		if base != 0 {
			return integerFrom(text[2:], base)
		}
	}
	digits := false
	for _, c := range []byte(text) {
		if !('0' <= c && c <= '9' || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-') {
			return math.NaN()
		}
		digits = digits || '0' <= c && c <= '9'
	}
	if !digits {
		return math.NaN()
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// longestInteger bounds the digits of a hexadecimal, octal or binary number,
// whose conversion is not linear; a longer one is beyond every float64 unless
// it is all zeros.
const longestInteger = 2048

func integerFrom(digits string, base int) float64 {
	for _, c := range []byte(digits) {
		d := math.MaxInt
		switch {
		case '0' <= c && c <= '9':
			d = int(c - '0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			d = int(c|0x20-'a') + 10
		}
		if d >= base {
			return math.NaN()
		}
	}
	digits = strings.TrimLeft(digits, "0")
	switch {
	case digits == "":
		return 0
	case len(digits) > longestInteger:
		return math.Inf(1)
	}
	n, _ := new(big.Int).SetString(digits, base)
	f, _ := new(big.Float).SetInt(n).Float64()
	return f
}

// outer is Math.min of two numbers, or Math.max. In Go an infinity comes
// before NaN, in JavaScript after it.
func outer(a, b float64, greatest bool) float64 {
	switch {
	case math.IsNaN(a) || math.IsNaN(b):
		return math.NaN()
	case greatest:
		return math.Max(a, b)
	}
	return math.Min(a, b)
}
