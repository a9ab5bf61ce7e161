package auth

import "net/netip"

// Network returns the network an address is counted under: its /24, or for IPv6 its
// /64, which is what one subscriber usually controls. An IPv4 address mapped into IPv6
// is the IPv4 address. All invalid addresses share the empty network.
func Network(addr netip.Addr) string {
	addr = addr.Unmap()
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	p, err := addr.Prefix(bits)
	if err != nil || !p.IsValid() {
		return ""
	}
	return p.String()
}
