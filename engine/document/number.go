package document

import (
	"bytes"
	"cmp"
	"math/big"
)

// CompareNumbers orders two JSON numbers by value, exactly: 1e2 equals 100, -0
// equals 0, and 9007199254740993 is above 9007199254740992. The work is bounded
// by the length of the texts, not by the size of the numbers, and nothing is
// allocated unless an exponent has more than 17 digits.
func CompareNumbers(a, b []byte) int {
	// Fast path: without a fraction or an exponent the longer text is the
	// larger number, for JSON has no leading zeros.
	if isPlainInteger(a) && isPlainInteger(b) {
		if len(a) != len(b) {
			return cmp.Compare(len(a), len(b))
		}
		return bytes.Compare(a, b)
	}
	x, y := readDecimal(a), readDecimal(b)
	if x.sign != y.sign {
		return cmp.Compare(x.sign, y.sign)
	}
	if c := compareMagnitude(&x, &y); x.sign >= 0 {
		return c
	} else {
		return -c
	}
}

// isPlainInteger reports whether b is digits and nothing else.
func isPlainInteger(b []byte) bool {
	for _, c := range b {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// A decimal is sign * 0.DIGITS * 10^point, where DIGITS are whole and then
// fraction and begin with a digit other than 0. Zero has sign 0.
type decimal struct {
	sign            int
	whole, fraction []byte
	point           int64
	huge            *big.Int // instead of point when the exponent is long
}

// longestExponent is the number of digits that int64 takes for sure, with room
// for the length of the text on top.
const longestExponent = 17

func readDecimal(b []byte) decimal {
	d := decimal{sign: 1}
	if len(b) > 0 && b[0] == '-' {
		d.sign, b = -1, b[1:]
	}
	end := 0
	for end < len(b) && isDigit(b[end]) {
		end++
	}
	d.whole, b = trimZeros(b[:end]), b[end:]
	d.point = int64(len(d.whole))
	if len(b) > 0 && b[0] == '.' {
		for end = 1; end < len(b) && isDigit(b[end]); {
			end++
		}
		d.fraction, b = b[1:end], b[end:]
	}
	if len(d.whole) == 0 {
		digits := trimZeros(d.fraction)
		d.point = -int64(len(d.fraction) - len(digits))
		d.fraction = digits
	}
	if len(d.whole) == 0 && len(d.fraction) == 0 {
		return decimal{}
	}
	if len(b) > 1 {
		d.addExponent(b[1:])
	}
	return d
}

func trimZeros(b []byte) []byte {
	for len(b) > 0 && b[0] == '0' {
		b = b[1:]
	}
	return b
}

func (d *decimal) addExponent(text []byte) {
	negative := false
	if text[0] == '-' || text[0] == '+' {
		negative, text = text[0] == '-', text[1:]
	}
	text = trimZeros(text)
	if len(text) > longestExponent {
		// Rare and slow, but exact.
		exponent, _ := new(big.Int).SetString(string(text), 10)
		if exponent == nil {
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

// compareMagnitude orders two decimals of one sign by their distance from zero.
func compareMagnitude(x, y *decimal) int {
	if x.sign == 0 {
		return 0
	}
	if x.huge != nil || y.huge != nil {
		if c := x.bigPoint().Cmp(y.bigPoint()); c != 0 {
			return c
		}
	} else if x.point != y.point {
		return cmp.Compare(x.point, y.point)
	}
	n := max(len(x.whole)+len(x.fraction), len(y.whole)+len(y.fraction))
	for i := range n {
		if p, q := x.digit(i), y.digit(i); p != q {
			return cmp.Compare(p, q)
		}
	}
	return 0
}

func (d *decimal) bigPoint() *big.Int {
	if d.huge != nil {
		return d.huge
	}
	return big.NewInt(d.point)
}

// digit returns the i-th digit; behind the last one there are zeros.
func (d *decimal) digit(i int) byte {
	if i < len(d.whole) {
		return d.whole[i]
	}
	if i -= len(d.whole); i < len(d.fraction) {
		return d.fraction[i]
	}
	return '0'
}
