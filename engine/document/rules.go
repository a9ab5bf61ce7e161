package document

import "strconv"

// Rules bound what Parse accepts beyond the grammar. The zero Rules accept
// almost nothing: a limit that is not given is zero.
type Rules struct {
	Depth       int  // objects and arrays inside each other; a bare scalar has depth 0
	Members     int  // members of one object
	NumberBytes int  // bytes of one number's text
	Storable    bool // refuse names that start with '$' or hold a '.'
}

var (
	// Body are the rules for documents that will be stored.
	Body = Rules{Depth: 32, Members: 1000, NumberBytes: 64, Storable: true}

	// Query are the rules for filters and sorts, whose operators start with '$'
	// and whose paths hold dots.
	Query = Rules{Depth: 32, Members: 1000, NumberBytes: 64}
)

// A SyntaxError says that the text is not JSON. Pos is the offset in bytes of
// the first byte that cannot be right.
type SyntaxError struct {
	Pos int
	Msg string
}

func (e *SyntaxError) Error() string {
	return "not JSON at byte " + strconv.Itoa(e.Pos) + ": " + e.Msg
}

// A RuleError says that the text is JSON as far as it was read, but breaks one
// of the rules J2 to J6. Pos is the offset in bytes of what breaks it.
type RuleError struct {
	Pos int
	Msg string

	// Unstorable is set for rule J6 alone: a name that starts with '$' or
	// holds a '.'. It is the one rule that a client may break in good faith.
	Unstorable bool
}

func (e *RuleError) Error() string {
	return "refused at byte " + strconv.Itoa(e.Pos) + ": " + e.Msg
}
