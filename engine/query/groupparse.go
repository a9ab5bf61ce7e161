package query

import (
	"strconv"
	"strings"
)

// A reducer is JavaScript that was understood: a function of a document and an
// accumulator without loops, calls other than Math.min and Math.max, or
// anything else whose work or reach is not plain from its text. The reducers
// that clients generate are of this kind. What it computes is what JavaScript
// would: whatever is not certain to mean the same is not understood.
type reducer struct {
	body    []expression
	members []string // of the accumulator that the body names: its slots
	written []int    // the slots that the body assigns, in the order of first assignment
	locals  int
}

// The bounds of a reducer that is understood.
const (
	maxNesting = 64
	maxTokens  = 1024
	maxSlots   = 16
)

// parseReducer returns nil for what it does not understand, be it JavaScript or
// not.
func parseReducer(text string) *reducer {
	tokens, ok := tokenize(text)
	if !ok {
		return nil
	}
	p := &reducerParser{tokens: tokens, names: map[string]int{}}
	if r := p.function(); !p.failed {
		return r
	}
	return nil
}

// taken are the names that a reducer cannot use as its own: the reserved words
// of JavaScript and the globals that the parser relies on.
var taken = setOf(`arguments await break case catch class const continue debugger default delete do else enum eval
	export extends false finally for function if implements import in instanceof interface let new null package
	private protected public return static super switch this throw true try typeof undefined var void while with
	yield Math NaN Infinity`)

// inherited are the members that every object of JavaScript has without being
// given them.
var inherited = setOf(`constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf
	__proto__ __defineGetter__ __defineSetter__ __lookupGetter__ __lookupSetter__`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// A reducerParser goes down the grammar once. When failed is set, what its
// methods return is without meaning.
type reducerParser struct {
	tokens   []token
	at       int
	doc, out string         // the names of the parameters
	names    map[string]int // local variables
	reducer  reducer
	branch   int // conditional operators that are open
	depth    int
	failed   bool
}

func (p *reducerParser) peek() token { return p.tokens[min(p.at, len(p.tokens)-1)] }

func (p *reducerParser) fail() expression {
	p.failed = true
	p.at = len(p.tokens)
	return constant{}
}

// take steps over a sign or a reserved word if it is the next token.
func (p *reducerParser) take(text string) bool {
	t := p.peek()
	if (t.kind == signToken || t.kind == nameToken && taken[text]) && t.text == text {
		p.at++
		return true
	}
	return false
}

func (p *reducerParser) need(text string) {
	if !p.take(text) {
		p.fail()
	}
}

// ownName steps over a name that the reducer gives to something.
func (p *reducerParser) ownName() string {
	t := p.peek()
	if t.kind != nameToken || taken[t.text] {
		p.fail()
	}
	p.at++
	return t.text
}

// function reads `function name(doc, out) { ... }`, of which name and the
// parameters may be missing.
func (p *reducerParser) function() *reducer {
	p.need("function")
	if p.peek().kind == nameToken {
		p.ownName()
	}
	p.need("(")
	var params []string
	for !p.take(")") && !p.failed {
		if len(params) > 0 {
			p.need(",")
		}
		params = append(params, p.ownName())
	}
	switch len(params) {
	case 2:
		p.doc, p.out = params[0], params[1]
	case 1:
		p.doc = params[0]
	case 0:
	default:
		p.fail()
	}
	if p.doc == p.out && p.doc != "" {
		p.fail()
	}
	p.need("{")
	for !p.take("}") && !p.failed {
		p.statement()
	}
	if p.peek().kind != endToken {
		p.fail()
	}
	return &p.reducer
}

func (p *reducerParser) statement() {
	switch {
	case p.take(";"):
	case p.take("return"):
		// What is returned is ignored, and nothing comes after it.
		if t := p.peek(); t.kind == nameToken && !t.newline && t.text == p.out {
			p.at++
		}
		p.take(";")
		if t := p.peek(); t.kind != signToken || t.text != "}" {
			p.fail()
		}
	case p.take("var"):
		for {
			name := p.ownName()
			if _, known := p.names[name]; known || name == p.doc || name == p.out {
				p.fail()
			}
			p.need("=")
			from := p.assignment()
			at := p.reducer.locals
			p.reducer.locals++
			p.names[name] = at
			p.reducer.body = append(p.reducer.body, assign{to: place{local: true, at: at}, from: from})
			if !p.take(",") {
				break
			}
		}
		p.endOfStatement()
	default:
		p.reducer.body = append(p.reducer.body, p.assignment())
		p.endOfStatement()
	}
}

// endOfStatement wants a semicolon, which only the last statement goes without.
func (p *reducerParser) endOfStatement() {
	if t := p.peek(); !p.take(";") && (t.kind != signToken || t.text != "}") {
		p.fail()
	}
}

// assignment reads an expression that may assign to a place.
func (p *reducerParser) assignment() expression {
	if p.depth++; p.depth > maxNesting {
		return p.fail()
	}
	defer func() { p.depth-- }()
	left := p.conditional()
	add := p.take("+=")
	if !add && !p.take("=") {
		return left
	}
	to, ok := left.(place)
	if !ok {
		return p.fail()
	}
	e := assign{to: to, add: add, from: p.assignment()}
	p.writes(to)
	return e
}

// writes notes an assignment. Which one is the first to run must be plain, so
// there is none inside a conditional.
func (p *reducerParser) writes(to place) {
	if p.branch > 0 {
		p.fail()
	}
	if to.local {
		return
	}
	for _, slot := range p.reducer.written {
		if slot == to.at {
			return
		}
	}
	p.reducer.written = append(p.reducer.written, to.at)
}

func (p *reducerParser) conditional() expression {
	test := p.equality()
	if !p.take("?") {
		return test
	}
	p.branch++
	yes := p.assignment()
	p.need(":")
	no := p.assignment()
	p.branch--
	return choice{test, yes, no}
}

// equality reads a comparison with undefined or null, on either side.
func (p *reducerParser) equality() expression {
	left := p.sum()
	for {
		var e nothing
		switch {
		case p.take("==="):
			e.strict = true
		case p.take("!=="):
			e.strict, e.differ = true, true
		case p.take("=="):
		case p.take("!="):
			e.differ = true
		default:
			return left
		}
		right := p.sum()
		of, with := left, right
		if isNothing(of) {
			of, with = with, of
		}
		if !isNothing(with) {
			return p.fail()
		}
		e.of, e.kind = of, with.(constant).value.kind
		left = e
	}
}

func isNothing(e expression) bool {
	c, ok := e.(constant)
	return ok && c.value.kind != numberValue
}

func (p *reducerParser) sum() expression {
	left := p.product()
	for {
		switch {
		case p.take("+"):
			left = binary{'+', left, p.product()}
		case p.take("-"):
			left = binary{'-', left, p.product()}
		default:
			return left
		}
	}
}

func (p *reducerParser) product() expression {
	left := p.unary()
	for {
		switch {
		case p.take("*"):
			left = binary{'*', left, p.unary()}
		case p.take("/"):
			left = binary{'/', left, p.unary()}
		default:
			return left
		}
	}
}

// unary reads an operand with a ++ before or after it.
func (p *reducerParser) unary() expression {
	before := p.take("++")
	e := p.operand()
	t := p.peek()
	after := !before && t.kind == signToken && t.text == "++" && !t.newline
	if !before && !after {
		return e
	}
	to, ok := e.(place)
	if !ok {
		return p.fail()
	}
	if after {
		p.at++
	}
	p.writes(to)
	return increment{to, after}
}

func (p *reducerParser) operand() expression {
	t := p.peek()
	switch {
	case p.take("("):
		e := p.assignment()
		p.need(")")
		return e
	case p.take("undefined"):
		return constant{}
	case p.take("null"):
		return constant{jsValue{kind: nullValue}}
	case p.take("Math"):
		return p.mathCall()
	case t.kind == numberToken:
		p.at++
		f, _ := strconv.ParseFloat(t.text, 64)
		return constant{number(f)}
	case t.kind != nameToken || taken[t.text]:
		return p.fail()
	}
	p.at++
	if at, local := p.names[t.text]; local {
		return place{local: true, at: at}
	}
	if t.text != p.doc && t.text != p.out {
		return p.fail()
	}
	name := p.member()
	if inherited[name] {
		return p.fail()
	}
	if t.text == p.doc {
		return field{name}
	}
	return place{at: p.slot(name)}
}

// member reads `.name` or `["name"]`.
func (p *reducerParser) member() string {
	bracket := p.take("[")
	if !bracket {
		p.need(".")
	}
	t := p.peek()
	if bracket && t.kind != textToken || !bracket && t.kind != nameToken {
		p.fail()
	}
	p.at++
	if bracket {
		p.need("]")
	}
	return t.text
}

// slot returns the number of the accumulator's member of that name.
func (p *reducerParser) slot(name string) int {
	for i, known := range p.reducer.members {
		if known == name {
			return i
		}
	}
	if len(p.reducer.members) == maxSlots {
		p.fail()
	}
	p.reducer.members = append(p.reducer.members, name)
	return len(p.reducer.members) - 1
}

func (p *reducerParser) mathCall() expression {
	e := outermost{greatest: false}
	p.need(".")
	switch t := p.peek(); {
	case t.kind == nameToken && t.text == "max":
		e.greatest = true
	case t.kind == nameToken && t.text == "min":
	default:
		return p.fail()
	}
	p.at++
	p.need("(")
	for !p.take(")") && !p.failed {
		if len(e.of) > 0 {
			p.need(",")
		}
		e.of = append(e.of, p.assignment())
	}
	return e
}
