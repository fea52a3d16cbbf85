package syslog

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/internal/charset"
)

// lineHead are the headers of a message with priority 13.
func lineHead(timestamp, host string, more ...string) map[string]string {
	h := head("1", "5", append(more, "Priority", "13", "host", host)...)
	if timestamp != "" {
		h["timestamp"] = timestamp
	}
	return h
}

func TestLine(t *testing.T) {
	invalid := headers("flume.syslog.status", "Invalid")
	const june = "1781524800000" // now
	for name, c := range map[string]struct {
		text    string
		headers map[string]string
		body    string // "": all of the text
	}{
		"RFC 5424":              {"<13>1 2003-10-11T22:14:15.003Z h su - x", lineHead("1065910455003", "h", "Version", "1"), "su - x"},
		"offset":                {"<13>1 2003-08-24T05:14:15.000003-07:00 h b", lineHead("1061727255000", "h", "Version", "1"), "b"},
		"offset over a day":     {"<13>1 2003-08-24T05:14:15+99:99 h b", lineHead("1061339715000", "h", "Version", "1"), "b"},
		"many digits":           {"<13>1 2003-10-11T22:14:15.1234567890123456789Z h b", lineHead("1065910455123", "h", "Version", "1"), "b"},
		"one digit":             {"<13>1 2003-10-11T22:14:15.5Z h b", lineHead("1065910455500", "h", "Version", "1"), "b"},
		"any letter is UTC":     {"<13>1 2003-10-11T22:14:15Q h b", lineHead("1065910455000", "h", "Version", "1"), "b"},
		"no version":            {"<13>2003-10-11T22:14:15Z h b", lineHead("1065910455000", "h"), "b"},
		"nil stamp":             {"<13>1 - h b", lineHead(june, "h", "Version", "1"), "b"},
		"nil stamp, no version": {"<13>- h b", lineHead(june, "h"), "b"},
		"nil host":              {"<13>1 - - b", lineHead(june, "-", "Version", "1"), "b"},
		"IPv6 host":             {"<13>1 - fe80::1 b", lineHead(june, "fe80::1", "Version", "1"), "b"},
		"empty host":            {"<13>1 -  b", lineHead(june, "", "Version", "1"), "b"},
		"RFC 3164":              {"<13>Oct 11 22:14:15 h su: x", lineHead("1760220855000", "h"), "su: x"},
		"RFC 3164, one digit":   {"<13>Jun  1 00:00:00 h b", lineHead("1780272000000", "h"), "b"},
		"one digit, one space":  {"<13>Jun 1 00:00:00 h b", lineHead("1780272000000", "h"), "b"},
		"unknown month":         {"<13>Okt 11 22:14:15 h b", lineHead("", "h"), "b"},
		"no such day":           {"<13>Jun 31 22:14:15 h b", lineHead("", "h"), "b"},
		"29 February":           {"<13>Feb 29 12:00:00 h b", lineHead("1772366400000", "h"), "b"}, // of no year near: 1 March
		"empty body":            {"<13>1 - h ", lineHead(june, "h", "Version", "1"), ""},
		"NUL":                   {"<13>1 - h a\x00b", lineHead(june, "h", "Version", "1"), "a\x00b"},
		"carriage return":       {"<13>1 - h b\r", lineHead(june, "h", "Version", "1"), "b\r"},
		"large priority": {"<99999>1 - h b",
			headers("Priority", "99999", "Facility", "12499", "Severity", "7", "Version", "1", "timestamp", june, "host", "h"), "b"},

		"no priority":          {"hello", invalid, ""},
		"empty priority":       {"<>1 - h b", invalid, ""},
		"letters":              {"<1a>1 - h b", invalid, ""},
		"sign":                 {"<-5>1 - h b", invalid, ""},
		"six digits":           {"<123456>1 - h b", invalid, ""},
		"open priority":        {"<13", invalid, ""},
		"only a priority":      {"<13>", invalid, ""},
		"other version":        {"<13>2 - h b", invalid, ""},
		"nothing behind stamp": {"<13>1 - ", invalid, ""},
		"no host":              {"<13>1 - h", invalid, ""},
		"no space":             {"<13>1", invalid, ""},
		"no zone":              {"<13>1 2003-10-11T22:14:15 h b", invalid, ""},
		"no zone, with digits": {"<13>1 2003-10-11T22:14:15.5 h b", invalid, ""},
		"point without digits": {"<13>1 2003-10-11T22:14:15.Z h b", invalid, ""},
		"cut offset":           {"<13>1 2003-10-11T22:14:15+02 h b", invalid, ""},
		"bad offset":           {"<13>1 2003-10-11T22:14:15+0200x h b", invalid, ""},
		"month 13":             {"<13>1 2003-13-11T22:14:15Z h b", invalid, ""},
		"29 February of 2003":  {"<13>1 2003-02-29T22:14:15Z h b", invalid, ""},
		"hour 24":              {"<13>1 2003-02-28T24:00:00Z h b", invalid, ""},
		"words, no stamp":      {"<13>CRON[17]: (root) CMD (true)", invalid, ""},
		"stamp and fraction":   {"<13>Oct 11 22:14:15.123 h b", invalid, ""},
		"not UTF-8":            {"<13>1 - h \xff", invalid, ""},
		"mark at the start":    {"\ufeff<13>1 - h b", invalid, ""},
	} {
		t.Run(name, func(t *testing.T) {
			body := c.body
			if body == "" {
				body = c.text
			}
			got, status := parse(t, Options{Dialect: Line}, c.text)
			if diff := cmp.Diff(parsed{c.headers, body}, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.text, diff)
			}
			if want := c.headers["flume.syslog.status"] == "Invalid"; (status == Invalid) != want {
				t.Errorf("%q: status %v", c.text, status)
			}
		})
	}
}

// TestLineFaults has what Flume makes of messages where something else is made of
// them here.
func TestLineFaults(t *testing.T) {
	const june = "1781524800000"
	for name, c := range map[string]struct {
		text string
		want parsed
	}{
		"until NUL":             {"<13>1 - h a\x00b", parsed{lineHead(june, "h", "Version", "1"), "a"}},
		"unknown month":         {"<13>Okt 11 22:14:15 h b", parsed{lineHead("0", "h"), "b"}},
		"no stamp":              {"<13>CRON[17]: (root) CMD (true)", parsed{lineHead("0", ""), "CMD (true)"}},
		"fraction":              {"<13>Oct 11 22:14:15.123 h b", parsed{lineHead("939680055000", "123"), "h b"}},
		"this month":            {"<13>Jun  1 00:00:00 h b", parsed{lineHead("1780272000000", "h"), "b"}},
		"more than a month ago": {"<13>Mar  1 00:00:00 h b", parsed{lineHead("983404800000", "h"), "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := parse(t, Options{Dialect: Line, Flume: true}, c.text)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

func TestCharsets(t *testing.T) {
	lookup := func(name string) charset.Charset {
		cs, err := charset.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		return cs
	}
	for _, c := range []struct {
		charset, text, host, body string
		valid                     bool
	}{
		{"ISO-8859-1", "<13>1 - h\xf6st gr\xfcn", "höst", "gr\xfcn", true},
		{"UTF-8", "<13>1 - höst grün", "höst", "grün", true},
		{"UTF-8", "<13>1 - h gr\xfcn", "", "<13>1 - h gr\xfcn", false},
		{"US-ASCII", "<13>1 - h gr\xfcn", "", "<13>1 - h gr\xfcn", false},
		{"US-ASCII", "<13>1 - h b", "h", "b", true},
		{"Shift_JIS", "<13>1 - \x93\xfa\x96\x7b \x83\x5c", "日本", "\x83\x5c", true},
		{"windows-1251", "<13>1 - h \xcf\xf0", "h", "\xcf\xf0", true},
	} {
		got, status := parse(t, Options{Dialect: Line, Charset: lookup(c.charset)}, c.text)
		if got.Body != c.body || got.Headers["host"] != c.host || (status == OK) != c.valid {
			t.Errorf("%s: %v is %v", c.charset, got, status)
		}
	}
}

// TestYears looks for the year of a stamp without one, around the end of a year
// and 29 February.
func TestYears(t *testing.T) {
	for _, c := range []struct {
		now, stamp string
		want       string // "": the same as ours
		flume      string
	}{
		{"2026-06-15T12:00:00", "Jun 15 11:00:00", "2026-06-15T11:00:00", ""},
		{"2026-06-15T12:00:00", "Jun 15 13:00:00", "2026-06-15T13:00:00", ""},
		{"2026-06-15T12:00:00", "Jul 15 11:59:59", "2026-07-15T11:59:59", ""},
		{"2026-06-15T12:00:00", "Jul 15 12:00:01", "2025-07-15T12:00:01", ""},
		{"2026-01-01T00:10:00", "Dec 31 23:59:59", "2025-12-31T23:59:59", ""},
		{"2025-12-31T23:59:00", "Jan  1 00:01:00", "2026-01-01T00:01:00", ""},
		{"2026-12-20T00:00:00", "Jan 10 00:00:00", "2027-01-10T00:00:00", ""},
		{"2026-12-05T00:00:00", "Jan 10 00:00:00", "2026-01-10T00:00:00", ""},
		{"2024-03-01T00:00:00", "Feb 29 12:00:00", "2024-02-29T12:00:00", ""},
		{"2025-01-10T00:00:00", "Feb 29 12:00:00", "2024-02-29T12:00:00", "2024-03-01T12:00:00"},
		{"2025-03-05T00:00:00", "Feb 29 12:00:00", "2024-02-29T12:00:00", "2025-03-01T12:00:00"},
		{"2026-03-05T00:00:00", "Feb 29 12:00:00", "2026-03-01T12:00:00", ""},
		{"2026-06-15T12:00:00", "Jun 40 00:00:00", "2026-07-10T00:00:00", ""},
	} {
		at, err := time.Parse("2006-01-02T15:04:05", c.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, flume := range []bool{false, true} {
			want := c.want
			if flume && c.flume != "" {
				want = c.flume
			}
			p := NewParser(Options{Flume: flume, Zone: time.UTC})
			e, _ := parseWith(p, Message{Text: []byte("<13>" + c.stamp + " h b")}, at)
			ms, err := strconv.ParseInt(e.Headers["timestamp"], 10, 64)
			if err != nil {
				t.Fatalf("%v: no timestamp in %v", c, e)
			}
			if got := time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05"); got != want {
				t.Errorf("at %s, faults %v, %s is %s, want %s", c.now, flume, c.stamp, got, want)
			}
		}
	}
}

// TestStampsAgain: a stamp that was seen before has the same value, and with a
// new year one without a year has another.
func TestStampsAgain(t *testing.T) {
	p := NewParser(Options{Zone: time.UTC})
	stamp := func(text string, at time.Time) string {
		e, _ := parseWith(p, Message{Text: []byte("<13>" + text + " h b")}, at)
		return e.Headers["timestamp"]
	}
	first := stamp("Jan 10 00:00:00", time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	if again := stamp("Jan 10 00:00:00", time.Date(2026, 6, 1, 0, 0, 30, 0, time.UTC)); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	if later := stamp("Jan 10 00:00:00", time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)); later == first {
		t.Errorf("a year later the value is still %s", later)
	}
	long := "2026-01-01T00:00:00." + strings.Repeat("1", 60) + "Z"
	line := NewParser(Options{Dialect: Line})
	for range 2 {
		if e, status := parseWith(line, Message{Text: []byte("<13>" + long + " h b")}, now); status != OK || e.Headers["timestamp"] != "1767225600111" {
			t.Errorf("%v is %v", e, status)
		}
	}
}

func TestAddMonths(t *testing.T) {
	for _, c := range []struct {
		from string
		n    int
		want string
	}{
		{"2026-03-31", -1, "2026-02-28"}, {"2024-03-31", -1, "2024-02-29"}, {"2026-01-15", -1, "2025-12-15"},
		{"2026-01-31", 11, "2026-12-31"}, {"2026-12-31", 11, "2027-11-30"}, {"2024-02-29", 12, "2025-02-28"},
		{"2024-02-29", -12, "2023-02-28"}, {"2000-06-30", 8, "2001-02-28"}, {"2000-01-01", -13, "1998-12-01"},
	} {
		from, err := time.Parse("2006-01-02", c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := addMonths(from, c.n).Format("2006-01-02"); got != c.want {
			t.Errorf("%s and %d months: %s, want %s", c.from, c.n, got, c.want)
		}
	}
}
