// Package document reads JSON that strangers send and JSON that the store
// keeps, without ever turning it into Go maps.
//
// # What Parse accepts
//
// Parse reads the text once and refuses everything that is not exactly one
// JSON value of RFC 8259, white space around it allowed. It refuses more than
// the grammar does, because what one reader overlooks another one trusts:
//
//	J1  The text is valid UTF-8; there is no byte order mark.
//	J2  No escape names half of a surrogate pair.
//	J3  No object has two members of one name, at any depth. Names are compared
//	    after unescaping: "a" is the same name as "\u0061". Case counts.
//	J4  Nesting, members of one object, and the length of a number are bounded.
//	J5  No name of a member holds U+0000.
//	J6  In text to be stored no name starts with '$' or holds a '.': the query
//	    language could not address it.
//
// A violation of the grammar or of J1 is a *SyntaxError, of J2 to J6 a
// *RuleError; both carry the byte offset.
//
// # What a Value is
//
// A Value is a view of a piece of such text: a slice, and nothing else. Numbers
// stay text for ever, so 9007199254740993 is served as it came; CompareNumbers
// compares them exactly. A Value borrows the bytes it was made from and is good
// for as long as they stay unchanged.
package document
