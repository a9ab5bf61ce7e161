package query

import "math/big"

// The tag of a number says where its point is, if it is between these. The
// point is the power of ten below which the number is.
const (
	leastPoint    = -40
	greatestPoint = 60
)

// appendNumberKey appends the key of a JSON number, which is the same for all
// texts of one number: a tag, and two digits a byte. Integers and decimals of
// up to 18 digits take at most 10 bytes.
func appendNumberKey(dst, text []byte) []byte {
	start := len(dst)
	d := readDecimal(text)
	n := len(d.whole) + len(d.fraction)
	switch {
	case n == 0:
		return append(dst, tagZero)
	case d.huge != nil:
		dst = appendPoint(dst, d.huge.Sign() < 0, d.huge.Bytes())
	case d.point < leastPoint || d.point > greatestPoint:
		negative, size := d.point < 0, uint64(d.point)
		if negative {
			size = -size
		}
		var buf [8]byte
		for i := range buf {
			buf[i] = byte(size >> (56 - 8*i))
		}
		dst = appendPoint(dst, negative, buf[:])
	default:
		dst = append(dst, byte(tagPoint+d.point-leastPoint))
	}
	// The last digit is not 0, so the number with more digits is the larger one.
	for i := 0; i < n; i += 2 {
		pair := 2 * (10*d.digit(i) + d.digit(i+1))
		if i+2 < n {
			pair++
		}
		dst = append(dst, pair)
	}
	if d.negative {
		complement(dst[start:])
	}
	return dst
}

// appendPoint appends the tag of a number whose point is far from 0, and the
// point: how many bytes its size has, and these.
func appendPoint(dst []byte, negative bool, size []byte) []byte {
	start := len(dst) + 1
	if negative {
		dst = append(dst, tagNear)
	} else {
		dst = append(dst, tagFar)
	}
	for len(size) > 0 && size[0] == 0 {
		size = size[1:]
	}
	n := len(size)
	for ; n >= 0xFF; n -= 0xFF {
		dst = append(dst, 0xFF)
	}
	dst = append(append(dst, byte(n)), size...)
	if negative {
		complement(dst[start:])
	}
	return dst
}

// A decimal is 0.DIGITS * 10^point, where DIGITS are whole and then fraction,
// and neither the first nor the last of them is 0. Zero has none.
type decimal struct {
	negative        bool
	whole, fraction []byte
	point           int64
	huge            *big.Int // instead of point when the exponent is long
}

func readDecimal(text []byte) (d decimal) {
	if len(text) > 0 && text[0] == '-' {
		d.negative, text = true, text[1:]
	}
	n := digits(text)
	d.whole, text = withoutZeros(text[:n]), text[n:]
	if len(text) > 0 && text[0] == '.' {
		n = 1 + digits(text[1:])
		d.fraction, text = text[1:n], text[n:]
	}
	d.point = int64(len(d.whole))
	if len(d.whole) == 0 {
		n = len(d.fraction)
		d.fraction = withoutZeros(d.fraction)
		d.point = int64(len(d.fraction) - n)
	}
	d.fraction = withoutLastZeros(d.fraction)
	if len(d.fraction) == 0 {
		d.whole = withoutLastZeros(d.whole)
	}
	if len(text) > 1 {
		d.addExponent(text[1:])
	}
	return d
}

// addExponent adds what stands behind the e.
func (d *decimal) addExponent(text []byte) {
	negative := text[0] == '-'
	if negative || text[0] == '+' {
		text = text[1:]
	}
	// So many digits and the length of a text are within an int64 for sure.
	const most = 17
	text = withoutZeros(text)
	if len(text) > most {
		// Rare and slow, but exact.
		exponent, ok := new(big.Int).SetString(string(text), 10)
		if !ok {
			return
		}
		if negative {
			exponent.Neg(exponent)
		}
		d.huge = exponent.Add(exponent, big.NewInt(d.point))
		return
	}
	exponent := int64(0)
	for _, c := range text {
		exponent = exponent*10 + int64(c-'0')
	}
	if negative {
		exponent = -exponent
	}
	d.point += exponent
}

// digit returns the i-th digit as a number; behind the last one there are zeros.
func (d *decimal) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i] - '0'
	}
	if i -= len(d.whole); i < len(d.fraction) {
		return d.fraction[i] - '0'
	}
	return 0
}

// digits returns how many digits the text begins with.
func digits(text []byte) int {
	for i, c := range text {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(text)
}

func withoutZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == '0' {
		b = b[1:]
	}
	return b
}

func withoutLastZeros(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}
