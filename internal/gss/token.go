package gss

import (
	"bytes"
	"encoding/binary"
)

// Kinds of tokens by which a context is established.
const (
	tokenRequest = 0x0100 // AP-REQ
	tokenReply   = 0x0200 // AP-REP
	tokenError   = 0x0300 // KRB-ERROR
)

// mechanism is the object identifier of Kerberos 5, with tag and length.
var mechanism = []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x12, 0x01, 0x02, 0x02}

// mostToken is the most bytes of a token that establishes a context. A ticket of
// a domain controller may have some 64 KiB.
const mostToken = 1 << 17

// enclose makes a token (RFC 2743, 3.1; RFC 4121, 4.1).
func enclose(kind uint16, content []byte) []byte {
	n := len(mechanism) + 2 + len(content)
	out := []byte{0x60}
	switch {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	out = append(out, mechanism...)
	out = binary.BigEndian.AppendUint16(out, kind)
	return append(out, content...)
}

// disclose is the inverse of enclose.
func disclose(token []byte) (kind uint16, content []byte, err error) {
	if len(token) > mostToken {
		return 0, nil, defective("it has more than %d bytes", mostToken)
	}
	if len(token) < 2 || token[0] != 0x60 {
		return 0, nil, defective("it is none of the GSS-API")
	}
	n, rest := int(token[1]), token[2:]
	if n >= 0x80 {
		digits := n - 0x80
		if digits == 0 || digits > 4 || len(rest) < digits {
			return 0, nil, defective("its length is damaged")
		}
		n = 0
		for _, b := range rest[:digits] {
			n = n<<8 | int(b)
		}
		rest = rest[digits:]
	}
	if n != len(rest) {
		return 0, nil, defective("it has %d bytes, not %d", len(rest), n)
	}
	rest, found := bytes.CutPrefix(rest, mechanism)
	if !found || len(rest) < 2 {
		return 0, nil, defective("it is none of Kerberos 5")
	}
	return binary.BigEndian.Uint16(rest), rest[2:], nil
}
