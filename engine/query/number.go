package query

import "math"

// integer returns the whole part of a JSON number, exactly. exact says that
// nothing was cut off. ok is false for what does not fit an int64.
func integer(text []byte) (n int64, exact, ok bool) {
	negative := len(text) > 0 && text[0] == '-'
	if negative {
		text = text[1:]
	}
	digits, point, exponent := readDigits(text)
	point += exponent
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	sum, i := uint64(0), 0
	add := func(digit byte) bool {
		if sum > (limit-uint64(digit))/10 {
			return false
		}
		sum = sum*10 + uint64(digit)
		return true
	}
	exact = true
	for _, c := range digits {
		if c == '.' {
			continue
		}
		if i >= point {
			exact = exact && c == '0'
		} else if !add(c - '0') {
			return 0, false, false
		}
		i++
	}
	for ; i < point && sum > 0; i++ {
		if !add(0) {
			return 0, false, false
		}
	}
	if negative {
		return int64(-sum), exact, true
	}
	return int64(sum), exact, true
}

// readDigits splits a number without its sign: the digits, with a dot among
// them or not, how many stand before the dot, and the exponent, which is as
// good as infinite beyond a million.
func readDigits(text []byte) (digits []byte, point, exponent int) {
	end := 0
	point = -1
	for end < len(text) && (text[end] == '.' || '0' <= text[end] && text[end] <= '9') {
		if text[end] == '.' && point < 0 {
			point = end
		}
		end++
	}
	if point < 0 {
		point = end
	}
	digits, text = text[:end], text[end:]
	if len(text) < 2 {
		return digits, point, 0
	}
	negative := text[1] == '-'
	for _, c := range text[1:] {
		if '0' <= c && c <= '9' && exponent < 1_000_000 {
			exponent = exponent*10 + int(c-'0')
		}
	}
	if negative {
		exponent = -exponent
	}
	return digits, point, exponent
}
