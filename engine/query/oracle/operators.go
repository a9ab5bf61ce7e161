package oracle

import (
	"encoding/json"
	"strconv"
	"strings"
)

// operators parses {"$op": operand, ...} on a path: all must be met, each
// perhaps by another element of an array.
func (p *parser) operators(path string, operators Object) (condition, error) {
	var all []condition
	for _, op := range operators {
		c, err := p.operator(path, op, operators)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return every(all), nil
}

// plainValue says that a value to be compared with holds no operator.
func plainValue(v any) bool {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if !plainValue(e) {
				return false
			}
		}
	case Object:
		for _, m := range v {
			if strings.HasPrefix(m.Name, "$") || !plainValue(m.Value) {
				return false
			}
		}
	}
	return true
}

// operator parses one operator; beside are all that stand in the same object.
func (p *parser) operator(path string, op Member, beside Object) (condition, error) {
	list, isList := op.Value.([]any)
	switch op.Name {
	case "$eq", "$ne", "$gt", "$gte", "$lt", "$lte":
		if !plainValue(op.Value) {
			return nil, ErrSyntax
		}
		return comparison(op), nil
	case "$in", "$nin":
		if !isList || !plainValue(list) {
			return nil, ErrSyntax
		}
		var equals []condition
		for _, v := range list {
			equals = append(equals, comparison(Member{"$eq", v}))
		}
		if op.Name == "$nin" {
			return not(either(equals)), nil
		}
		return either(equals), nil
	case "$all":
		if !isList {
			return nil, ErrSyntax
		}
		return p.all(path, list)
	case "$exists":
		wanted, ok := op.Value.(bool)
		if number, isNumber := op.Value.(json.Number); isNumber {
			wanted, ok = compareNumbers(string(number), "0") != 0, true
		}
		if !ok {
			return nil, ErrSyntax
		}
		there := someEnd(func(v any) bool { return v != missing{} })
		if !wanted {
			return not(there), nil
		}
		return there, nil
	case "$size":
		n, ok := whole(op.Value)
		if !ok || n < 0 {
			return nil, ErrSyntax
		}
		return someEnd(func(v any) bool {
			list, ok := v.([]any)
			return ok && int64(len(list)) == n
		}), nil
	case "$mod":
		return modulo(list)
	case "$type":
		return ofType(op.Value)
	case "$regex":
		return regex(op.Value, beside.get("$options"))
	case "$options":
		if beside.get("$regex") == (missing{}) {
			return nil, ErrSyntax
		}
		return every(nil), nil // $regex has looked at it
	case "$not":
		operators, ok := operatorsOf(op.Value)
		if !ok {
			return nil, ErrSyntax
		}
		c, err := p.below().operators(path, operators)
		if err != nil {
			return nil, err
		}
		return not(c), nil
	case "$elemMatch":
		return p.elemMatch(path, op.Value)
	case "$near", "$nearSphere":
		return p.nearPoint(path, op, beside)
	case "$maxDistance":
		if beside.get("$near") == (missing{}) && beside.get("$nearSphere") == (missing{}) {
			return nil, ErrSyntax
		}
		return every(nil), nil // $near has looked at it
	case "$within", "$geoWithin":
		return within(op.Value)
	case "$where", "$expr", "$function":
		return nil, ErrDisallowed
	}
	return nil, ErrSyntax
}

// comparison is $eq and its relatives (rules "null" and "bracket").
func comparison(op Member) condition {
	met := map[string]func(c int) bool{
		"$eq":  func(c int) bool { return c == 0 },
		"$gt":  func(c int) bool { return c > 0 },
		"$gte": func(c int) bool { return c >= 0 },
		"$lt":  func(c int) bool { return c < 0 },
		"$lte": func(c int) bool { return c <= 0 },
	}
	if op.Name == "$ne" {
		return not(comparison(Member{"$eq", op.Value}))
	}
	return some(func(v any) bool {
		return typeOf(v) == typeOf(op.Value) && met[op.Name](compare(v, op.Value))
	})
}

// all is met when each of the list is found; of an empty list nothing is.
func (p *parser) all(path string, list []any) (condition, error) {
	var each []condition
	matches := 0
	for _, v := range list {
		op := Member{"$eq", v}
		if o, ok := v.(Object); ok && len(o) > 0 && o[0].Name == "$elemMatch" {
			if len(o) > 1 {
				return nil, ErrSyntax
			}
			matches++
			op = o[0]
		}
		c, err := p.operator(path, op, nil)
		if err != nil {
			return nil, err
		}
		each = append(each, c)
	}
	if matches > 0 && matches < len(list) {
		return nil, ErrSyntax // all of them or none are $elemMatch
	}
	if len(list) == 0 {
		return func([]end) bool { return false }, nil
	}
	return every(each), nil
}

// elemMatch wants one element of an array that meets everything: operators on
// the element itself, or a filter on its members.
func (p *parser) elemMatch(path string, operand any) (condition, error) {
	o, ok := operand.(Object)
	if !ok {
		return nil, ErrSyntax
	}
	var meets func(e any) bool
	if len(o) > 0 && strings.HasPrefix(o[0].Name, "$") && !logical(o[0].Name) {
		c, err := p.below().operators(path, o)
		if err != nil {
			return nil, err
		}
		meets = func(e any) bool { return c([]end{{e, true}}) }
	} else {
		holds, err := p.below().filter(o)
		if err != nil {
			return nil, err
		}
		meets = func(e any) bool {
			_, ok := e.(Object)
			return ok && holds(e)
		}
	}
	return someEnd(func(v any) bool {
		list, _ := v.([]any)
		for _, e := range list {
			if meets(e) {
				return true
			}
		}
		return false
	}), nil
}

func logical(name string) bool { return name == "$and" || name == "$or" || name == "$nor" }

// modulo is $mod: [divisor, remainder]. All three numbers lose their fraction;
// the remainder has the sign of the dividend.
func modulo(operand []any) (condition, error) {
	var numbers []int64
	for _, v := range operand {
		number, ok := v.(json.Number)
		if !ok {
			return nil, ErrSyntax
		}
		n, ok := truncated(string(number))
		if !ok {
			return nil, ErrSyntax
		}
		numbers = append(numbers, n)
	}
	if len(numbers) != 2 || numbers[0] == 0 {
		return nil, ErrSyntax
	}
	return some(func(v any) bool {
		number, ok := v.(json.Number)
		if !ok {
			return false
		}
		n, ok := truncated(string(number))
		return ok && n%numbers[0] == numbers[1]
	}), nil
}

// types are the names and numbers that $type takes, and which type of a value
// each means; those that JSON has no values of mean none.
var types = map[string]string{
	"1": "double", "double": "double", "16": "int", "int": "int", "18": "long", "long": "long", "number": "number",
	"2": "string", "string": "string", "3": "object", "object": "object", "4": "array", "array": "array",
	"8": "bool", "bool": "bool", "10": "null", "null": "null",
	"5": "", "binData": "", "6": "", "undefined": "", "7": "", "objectId": "", "9": "", "date": "", "11": "", "regex": "", "12": "", "dbPointer": "",
	"13": "", "javascript": "", "14": "", "symbol": "", "15": "", "javascriptWithScope": "", "17": "", "timestamp": "", "19": "", "decimal": "",
	"-1": "", "minKey": "", "127": "", "maxKey": "",
}

// numberType is the type that BSON would have for a number: the smallest that
// holds it.
func numberType(n json.Number) string {
	switch i, ok := whole(n); {
	case !ok:
		return "double"
	case i == int64(int32(i)):
		return "int"
	}
	return "long"
}

// ofType is $type: one type or a list of them.
func ofType(operand any) (condition, error) {
	list, ok := operand.([]any)
	if !ok {
		list = []any{operand}
	}
	if len(list) == 0 {
		return nil, ErrSyntax
	}
	wanted := map[string]bool{}
	for _, v := range list {
		name, isName := v.(string)
		if n, ok := whole(v); ok {
			name = strconv.FormatInt(n, 10)
		} else if _, err := strconv.Atoi(name); !isName || err == nil {
			return nil, ErrSyntax
		}
		t, known := types[name]
		if !known {
			return nil, ErrSyntax
		}
		wanted[t] = true
	}
	return some(func(v any) bool {
		switch v := v.(type) {
		case nil:
			return wanted["null"]
		case bool:
			return wanted["bool"]
		case json.Number:
			return wanted["number"] || wanted[numberType(v)]
		case string:
			return wanted["string"]
		case Object:
			return wanted["object"]
		case []any:
			return wanted["array"]
		}
		return false
	}), nil
}
