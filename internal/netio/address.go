package netio

import (
	"net/netip"
	"strconv"
)

// AddressText returns an address as Java writes it, "" for the zero Addr.
func AddressText(addr netip.Addr) string { return string(AppendAddress(nil, addr)) }

// AppendAddress appends addr as Java writes it: all eight groups of an IPv6 address,
// and IPv4 inside of IPv6 as IPv4. Of the zero Addr it appends nothing.
func AppendAddress(dst []byte, addr netip.Addr) []byte {
	addr = addr.Unmap()
	if !addr.Is6() {
		if !addr.IsValid() {
			return dst
		}
		return addr.AppendTo(dst)
	}
	groups := addr.As16()
	for i := 0; i < len(groups); i += 2 {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = strconv.AppendUint(dst, uint64(groups[i])<<8|uint64(groups[i+1]), 16)
	}
	if zone := addr.Zone(); zone != "" {
		dst = append(append(dst, '%'), zone...)
	}
	return dst
}
