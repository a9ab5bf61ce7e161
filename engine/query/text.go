package query

import "postern/engine/document"

// Text returns the sort as ParseSort reads it.
func (s Sort) Text() []byte {
	b := []byte{'{'}
	for i, k := range s.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = document.AppendQuote(b, k.path.String())
		if k.descending {
			b = append(b, ":-1"...)
		} else {
			b = append(b, ":1"...)
		}
	}
	return append(b, '}')
}
