package syslog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// head are the headers of a valid message in no format.
func head(facility, severity string, more ...string) map[string]string {
	return headers(append([]string{"Facility", facility, "Severity", severity}, more...)...)
}

func TestStream(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		headers map[string]string
		body    string
	}{
		"RFC 5424": {
			"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - 'su root' failed",
			head("4", "2", "priority", "34", "version", "1", "timestamp", "1065910455003", "host", "mymachine.example.com"),
			"su - ID47 - 'su root' failed",
		},
		"RFC 5424 with offset": {
			"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time.",
			head("20", "5", "priority", "165", "version", "1", "timestamp", "1061727255000", "host", "192.0.2.1"),
			"myproc 8710 - - %% It's time.",
		},
		"RFC 5424 without version": {
			"<34>2003-10-11T22:14:15Z h b",
			head("4", "2", "priority", "34", "timestamp", "1065910455000", "host", "h"), "b",
		},
		"version without space": {
			"<34>12003-10-11T22:14:15Z h b",
			head("4", "2", "priority", "34", "version", "1", "timestamp", "1065910455000", "host", "h"), "b",
		},
		"no zone": {
			"<34>1 2003-10-11T22:14:15 h b",
			head("4", "2", "priority", "34", "version", "1", "timestamp", "1065910455000", "host", "h"), "b",
		},
		"nil stamp and host": {
			"<13>1 - - b", head("1", "5", "priority", "13", "version", "1"), "b",
		},
		"RFC 3164": {
			"<34>Oct 11 22:14:15 mymachine su: 'su root' failed",
			head("4", "2", "priority", "34", "timestamp", "1760220855000", "host", "mymachine"), "su: 'su root' failed",
		},
		"RFC 3164, one digit": {
			"<0>Jun  1 00:00:00 h b", head("0", "0", "priority", "0", "timestamp", "1780272000000", "host", "h"), "b",
		},
		"RFC 3164, one digit, one space": {
			"<0>Jun 1 00:00:00 h b", head("0", "0", "priority", "0", "timestamp", "1780272000000", "host", "h"), "b",
		},
		"RFC 3164, nil host": {
			"<13>Oct 11 22:14:15 - b", head("1", "5"), "<13>Oct 11 22:14:15 - b",
		},
		"unknown month": {
			"<13>Okt 11 22:14:15 h b", head("1", "5", "priority", "13", "host", "h"), "b",
		},
		"day out of range": {
			"<13>1 2026-01-40T00:00:00Z h b",
			head("1", "5", "priority", "13", "version", "1", "timestamp", "1770595200000", "host", "h"), "b",
		},
		"offset out of range": {
			"<13>1 2026-01-01T00:00:00+99:00 h b", head("1", "5", "priority", "13", "version", "1", "host", "h"), "b",
		},
		"leap second": {
			"<13>1 2016-12-31T23:59:60Z h b",
			head("1", "5", "priority", "13", "version", "1", "timestamp", "1483228800000", "host", "h"), "b",
		},
		"seven digits":       {"<13>1 2026-01-01T00:00:00.1234567Z h b", head("1", "5"), "<13>1 2026-01-01T00:00:00.1234567Z h b"},
		"IPv6 host":          {"<13>1 2026-01-01T00:00:00Z fe80::1 b", head("1", "5"), "<13>1 2026-01-01T00:00:00Z fe80::1 b"},
		"stamp and fraction": {"<13>Oct 11 22:14:15.5 h b", head("1", "5"), "<13>Oct 11 22:14:15.5 h b"},
		"no format":          {"<13>hello", head("1", "5"), "<13>hello"},
		"empty body": {
			"<13>1 - h ", head("1", "5", "priority", "13", "version", "1", "host", "h"), "<13>1 - h ",
		},
		"largest priority":  {"<191>x", head("23", "7"), "<191>x"},
		"over it":           {"<999>x", head("124", "7"), "<999>x"},
		"zeros in front":    {"<007>1 - h b", head("0", "7", "priority", "007", "version", "1", "host", "h"), "b"},
		"carriage return":   {"<13>1 - h b\r", head("1", "5", "priority", "13", "version", "1", "host", "h"), "b\r"},
		"lines":             {"<13>1 - h one\ntwo", head("1", "5", "priority", "13", "version", "1", "host", "h"), "one\ntwo"},
		"not UTF-8":         {"<13>1 - h \xff\xc3", head("1", "5", "priority", "13", "version", "1", "host", "h"), "\xff\xc3"},
		"NUL":               {"<13>1 - h a\x00b", head("1", "5", "priority", "13", "version", "1", "host", "h"), "a\x00b"},
		"mark in the text":  {"<13>1 - h app - - - \ufeffb", head("1", "5", "priority", "13", "version", "1", "host", "h"), "app - - - \ufeffb"},
		"tabs":              {"<13>1\t-\th\tb", head("1", "5", "priority", "13", "version", "1", "host", "h"), "b"},
		"only a priority":   {"<13>", head("1", "5"), "<13>"},
		"no priority":       {"hello", head("0", "0", "flume.syslog.status", "Invalid"), "hello"},
		"mark at the start": {"\ufeff<13>x", head("0", "0", "flume.syslog.status", "Invalid"), "\ufeff<13>x"},
		"NUL at the start":  {"\x00<13>x", head("0", "0", "flume.syslog.status", "Invalid"), "\x00<13>x"},
		"empty priority":    {"<>x", head("0", "0", "flume.syslog.status", "Invalid"), "<>x"},
		"four digits":       {"<1234>x", head("0", "0", "flume.syslog.status", "Invalid"), "<1234>x"},
		"letters":           {"<1a>x", head("0", "0", "flume.syslog.status", "Invalid"), "<1a>x"},
		"sign":              {"<-1>x", head("0", "0", "flume.syslog.status", "Invalid"), "<-1>x"},
		"open priority":     {"<13", head("0", "0", "flume.syslog.status", "Invalid"), "<13"},
		"bracket alone":     {"<", head("0", "0", "flume.syslog.status", "Invalid"), "<"},
		"space in front":    {" <13>x", head("0", "0", "flume.syslog.status", "Invalid"), " <13>x"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _ := parse(t, Options{}, c.text)
			if diff := cmp.Diff(parsed{c.headers, c.body}, got); diff != "" {
				t.Errorf("%q (-want +got):\n%s", c.text, diff)
			}
		})
	}
}

// TestStreamFaults has what Flume makes of messages, and what is made of them here.
func TestStreamFaults(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text        string
		keep        Keep
		flume, ours parsed
	}{
		"zone of a stamp with fraction": {
			"<13>1 2003-10-11T22:14:15.003Z h b", Keep{},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065903255003", "host", "h"), "b"},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065910455003", "host", "h"), "b"},
		},
		"fraction of one digit": {
			"<13>1 2003-10-11T22:14:15.5 h b", Keep{},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065903255005", "host", "h"), "b"},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065903255500", "host", "h"), "b"},
		},
		"fraction of six digits": {
			"<13>1 2003-10-11T22:14:15.123456+02:00 h b", Keep{},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065903255123", "host", "h"), "b"},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065903255123", "host", "h"), "b"},
		},
		"offset out of range": {
			"<13>1 2003-10-11T22:14:15+24:00 h b", Keep{},
			parsed{head("1", "5", "priority", "13", "version", "1", "timestamp", "1065903255000", "host", "h"), "b"},
			parsed{head("1", "5", "priority", "13", "version", "1", "host", "h"), "b"},
		},
		"carriage return": {
			"<13>1 - h b\r", Keep{},
			parsed{head("1", "5"), "<13>1 - h b\r"},
			parsed{head("1", "5", "priority", "13", "version", "1", "host", "h"), "b\r"},
		},
		"separator of lines": {
			"<13>1 - h a\u2028b", Keep{},
			parsed{head("1", "5"), "<13>1 - h a\u2028b"},
			parsed{head("1", "5", "priority", "13", "version", "1", "host", "h"), "a\u2028b"},
		},
		"not UTF-8": {
			"<13>1 - h a\xe2\x82b\xff", Keep{},
			parsed{head("1", "5", "priority", "13", "version", "1", "host", "h"), "a\ufffdb\ufffd"},
			parsed{head("1", "5", "priority", "13", "version", "1", "host", "h"), "a\xe2\x82b\xff"},
		},
		"nil fields that are kept": {
			"<13>1 - - b", Keep{Timestamp: true, Hostname: true},
			parsed{head("1", "5", "priority", "13", "version", "1"), "null null b"},
			parsed{head("1", "5", "priority", "13", "version", "1"), "- - b"},
		},
		"open priority": {
			"<13", Keep{},
			parsed{head("1", "5"), "<13"},
			parsed{head("0", "0", "flume.syslog.status", "Invalid"), "<13"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, flume := range []bool{true, false} {
				want := c.ours
				if flume {
					want = c.flume
				}
				got, _ := parse(t, Options{Flume: flume, Zone: berlin, Keep: c.keep}, c.text)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("faults %v (-want +got):\n%s", flume, diff)
				}
			}
		})
	}
}

// TestLeak: Flume's stream parser gives a message in no format the priority of an
// earlier one.
func TestLeak(t *testing.T) {
	for _, flume := range []bool{true, false} {
		p := NewParser(Options{Flume: flume, Zone: time.UTC})
		var got []parsed
		for _, text := range []string{"<13>1 - h b", "<14>x", "bad", "<15>- h b"} {
			e, _ := parseWith(p, Message{Text: []byte(text)}, now)
			got = append(got, e)
		}
		leaked := []string{"priority", "13", "version", "1"}
		if !flume {
			leaked = nil
		}
		want := []parsed{
			{head("1", "5", "priority", "13", "version", "1", "host", "h"), "b"},
			{head("1", "6", leaked...), "<14>x"},
			{head("0", "0", append(leaked, "flume.syslog.status", "Invalid")...), "bad"},
			{head("1", "7", "priority", "15", "host", "h"), "b"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("faults %v (-want +got):\n%s", flume, diff)
		}
	}
}

func TestCutMessages(t *testing.T) {
	for _, d := range []Dialect{Stream, Line} {
		for _, c := range []struct {
			text string
			want Status
		}{{"<13>1 - h b", Incomplete}, {"bad", Invalid}} {
			p := NewParser(Options{Dialect: d})
			e, status := parseWith(p, Message{Text: []byte(c.text), Cut: true}, now)
			if status != c.want || e.Headers[HeaderStatus] != statusText[c.want] {
				t.Errorf("dialect %v: %q is %v with %v", d, c.text, status, e)
			}
		}
	}
}

func TestKeepFields(t *testing.T) {
	const text = "<13>1 2003-10-11T22:14:15Z h b c"
	for in, want := range map[string]string{
		"none": "b c", "false": "b c", "": "b c", " NONE ": "b c",
		"all": text, "true": text, "True": text,
		"priority":                            "<13>b c",
		"version":                             "1 b c",
		"timestamp":                           "2003-10-11T22:14:15Z b c",
		"hostname":                            "h b c",
		"priority version":                    "<13>1 b c",
		"hostname,timestamp":                  "2003-10-11T22:14:15Z h b c",
		"Priority-Version-and-HOSTNAME":       "<13>1 h b c",
		"priority version timestamp hostname": text,
		"something":                           "b c",
	} {
		keep, ok := ParseKeep(in)
		if ok != (in != "something") {
			t.Errorf("%q: ok is %v", in, ok)
		}
		for _, d := range []Dialect{Stream, Line} {
			if got, _ := parse(t, Options{Dialect: d, Keep: keep}, text); got.Body != want {
				t.Errorf("%q, dialect %v: body %q, want %q", in, d, got.Body, want)
			}
		}
	}
	for text, want := range map[string]string{
		"<13>Oct 11 22:14:15 h b": "<13>Oct 11 22:14:15 h b", // no version, no space for it
		"<13>1 - h ":              "<13>1 - h ",
		"<13>other":               "<13>other",
	} {
		keep, _ := ParseKeep("priority version timestamp hostname")
		if got, _ := parse(t, Options{Keep: keep}, text); got.Body != want {
			t.Errorf("%q: body %q, want %q", text, got.Body, want)
		}
	}
}

func TestStructuredData(t *testing.T) {
	const start = "<13>1 - h "
	for name, c := range map[string]struct {
		rest    string
		headers []string
		body    string
	}{
		"all": {
			`evntslog 12 ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"][p@1 x="y"] An event`,
			[]string{"appname", "evntslog", "procid", "12", "msgid", "ID47", "exampleSDID@32473.iut", "3",
				"exampleSDID@32473.eventSource", "Application", "exampleSDID@32473.eventID", "1011", "p@1.x", "y"},
			"An event",
		},
		"nil":          {"- - - - text", nil, "text"},
		"no text":      {"app - - -", []string{"appname", "app"}, ""},
		"mark":         {"app - - - \ufeffgrün", []string{"appname", "app"}, "grün"},
		"no parameter": {"app - - [id] x", []string{"appname", "app"}, "x"},
		"escapes":      {`app - - [id a="\"\\\] \n"] x`, []string{"appname", "app", "id.a", `"\] \n`}, "x"},
		"repeated":     {`app - - [id a="1" a="2"] x`, []string{"appname", "app", "id.a", "1,2"}, "x"},
		"malformed":    {`app - - [id a="1] x`, nil, `app - - [id a="1] x`},
		"no bracket":   {`app - - [id a="1"`, nil, `app - - [id a="1"`},
		"no quotes":    {`app - - [id a=1] x`, nil, `app - - [id a=1] x`},
		"glued":        {`app - - [id]x`, nil, `app - - [id]x`},
		"too short":    {"app text", nil, "app text"},
		"too many":     {"app - - [id" + strings.Repeat(` a="1"`, maxParams+1) + "] x", nil, "app - - [id" + strings.Repeat(` a="1"`, maxParams+1) + "] x"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []Dialect{Stream, Line} {
				want := parsed{head("1", "5", append(c.headers, "priority", "13", "version", "1", "host", "h")...), c.body}
				if d == Line {
					want.Headers = head("1", "5", append(c.headers, "Priority", "13", "Version", "1", "host", "h", "timestamp", "1781524800000")...)
				}
				got, _ := parse(t, Options{Dialect: d, Structured: true}, start+c.rest)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("dialect %v (-want +got):\n%s", d, diff)
				}
			}
		})
	}
	got, _ := parse(t, Options{Structured: true}, "<13>Oct 11 22:14:15 h app - - - x")
	if got.Body != "app - - - x" {
		t.Errorf("RFC 3164 has no structured data, and the body is %q", got.Body)
	}
}

func TestCustomFormat(t *testing.T) {
	f := Format{
		Regex:  `<(\d+)>(\d?)(\d{4}/\w+/\d+ [\d:]+)\|(\S+)\|(.*)`,
		Search: `/`, Replace: `-`,
		DateFormat: "yyyy-MMM-dd HH:mm:ss",
	}
	custom, err := f.Compile()
	if err != nil {
		t.Fatal(err)
	}
	got, _ := parse(t, Options{Custom: custom}, "<13>2003/Oct/11 22:14:15|fe80::1|text")
	want := parsed{head("1", "5", "priority", "13", "timestamp", "1065910455000", "host", "fe80::1"), "text"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, _ := parse(t, Options{Custom: custom}, "<13>1 - h b"); got.Body != "b" {
		t.Errorf("the formats that are built in are not tried: %v", got)
	}
	for key, f := range map[string]Format{
		"format.regex":      {Regex: "("},
		"format.search":     {Regex: "x", Search: "("},
		"format.replace":    {Regex: "x", Search: "x", Replace: "$1"},
		"format.dateFormat": {Regex: "x", DateFormat: "'"},
	} {
		if _, err := f.Compile(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: error %v", key, err)
		}
	}
}
