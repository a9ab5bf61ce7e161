package engine

import "testing"

// The vectors that the authors of SipHash-2-4 have published.
func TestIDHash(t *testing.T) {
	key := idKey{0x0706050403020100, 0x0f0e0d0c0b0a0908}
	for n, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5,
	} {
		id := make([]byte, n)
		for i := range id {
			id[i] = byte(i)
		}
		if got := key.hash(id); got != want {
			t.Errorf("of %d bytes %#x, want %#x", n, got, want)
		}
		if got := key.text(string(id)); got != want {
			t.Errorf("of a text of %d bytes %#x, want %#x", n, got, want)
		}
	}
}
