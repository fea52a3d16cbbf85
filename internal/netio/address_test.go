package netio

import (
	"net/netip"
	"testing"
)

func TestAppendAddress(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.7":          "10.0.0.7",
		"::ffff:10.0.0.7":   "10.0.0.7",
		"::1":               "0:0:0:0:0:0:0:1",
		"2001:db8::a0b:1":   "2001:db8:0:0:0:0:a0b:1",
		"fe80::1%eth0":      "fe80:0:0:0:0:0:0:1%eth0",
		"::ffff:0:10.0.0.7": "0:0:0:0:ffff:0:a00:7",
	} {
		if got := string(AppendAddress([]byte("from "), netip.MustParseAddr(in))); got != "from "+want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if got := AppendAddress(nil, netip.Addr{}); len(got) > 0 {
		t.Errorf("the zero address is %q", got)
	}
}
