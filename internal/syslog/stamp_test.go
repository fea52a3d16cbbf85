package syslog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestStampsInARow has one parser read stamps that differ little from the one before, and finds the same as a new parser does
// for each.
func TestStampsInARow(t *testing.T) {
	var stamps []string
	for _, civil := range []string{"2026-11-22T14:08:40", "2026-11-22T14:08:41", "1969-12-31T23:59:59", "1970-01-01T00:00:00", "2026-11-31T24:61:61"} {
		for _, zone := range []string{"Z", "+01:00", "-01:00", "+02:00", "+25:00", ""} {
			for _, fraction := range []string{".000001", ".999999", ".5", ".6", ".12", ".123", ".124", "", ".00", ".7"} {
				stamps = append(stamps, civil+fraction+zone)
			}
		}
	}
	zone := time.FixedZone("", -3600)
	for _, opt := range []Options{{Zone: zone}, {Zone: zone, Flume: true}, {Dialect: Line}, {Dialect: Line, Flume: true}} {
		together := NewParser(opt)
		for i, stamp := range stamps {
			m := Message{Text: []byte("<34>1 " + stamp + " host app - - - text")}
			got, status := parseWith(together, m, now)
			want, wantStatus := parseWith(NewParser(opt), m, now)
			if diff := cmp.Diff(want, got); diff != "" || status != wantStatus {
				t.Fatalf("%+v: %q behind %q (-alone +in a row):\n%s", opt, stamp, stamps[max(0, i-1)], diff)
			}
		}
	}
}
