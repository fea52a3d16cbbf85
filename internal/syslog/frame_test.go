package syslog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cut feeds a framer with text in pieces of so many bytes, as a session does, and
// shows the messages: those that are cut with a tilde.
func cut(f *Framer, text string, piece int) []string {
	var out []string
	add := func(m Message) {
		s := string(m.Text)
		if m.Cut {
			s += "~"
		}
		out = append(out, s)
	}
	var rest []byte
	for len(text) > 0 {
		n := min(piece, len(text))
		data := []byte(text[:n])
		text = text[n:]
		if len(rest) > 0 && f.Waiting(len(rest), data) {
			rest = append(rest, data...)
			continue
		}
		data = append(rest, data...)
		for {
			m, size, ok := f.Next(data)
			data = data[size:]
			if !ok {
				break
			}
			add(m)
		}
		rest = append([]byte(nil), data...)
	}
	if m, ok := f.End(rest); ok {
		add(m)
	}
	return out
}

func TestFramer(t *testing.T) {
	long := strings.Repeat("x", 20)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"lines":                  {"<1>a\n<2>b\n", []string{"<1>a", "<2>b"}},
		"empty lines":            {"\n\n<1>a\n\n\n<2>b\n\n", []string{"<1>a", "<2>b"}},
		"end of the connection":  {"<1>a\n<2>b", []string{"<1>a", "<2>b~"}},
		"nothing":                {"\n\n", nil},
		"carriage returns":       {"<1>a\r\n<2>b\r\n", []string{"<1>a\r", "<2>b\r"}},
		"just the limit":         {long + "\n<1>a\n", []string{long, "<1>a"}},
		"over the limit":         {long + "yz\n<1>a\n", []string{long + "~", "yz", "<1>a"}},
		"twice over":             {long + long + "yz\n", []string{long + "~", long + "~", "yz"}},
		"a limit without end":    {long, []string{long + "~"}},
		"newline in priority":    {"<1\n2>a\n", []string{"<1", "2>a"}},
		"counted":                {"4 <1>a5 <2>bc", []string{"<1>a", "<2>bc"}},
		"counted, with newlines": {"5 <1>a\n7 <2>b\nc\n", []string{"<1>a", "<2>b\nc"}},
		"counted, then lines":    {"4 <1>a<2>b\n4 <3>c", []string{"<1>a", "<2>b", "<3>c"}},
		"counted, lines between": {"4 <1>a\n\n4 <3>c\n", []string{"<1>a", "<3>c"}},
		"count too small":        {"3 <1>abc\n4 <2>d", []string{"<1>", "abc", "<2>d"}},
		"count too large":        {"9 <1>a\n4 <2>d\n<3>e\n", []string{"<1>a\n4 <2", ">d", "<3>e"}},
		"count beyond the end":   {"9 <1>a", []string{"<1>a~"}},
		"count over the limit":   {"25 <1>" + strings.Repeat("a", 22) + "4 <2>b", []string{"<1>" + strings.Repeat("a", 17) + "~", "aaaaa~", "<2>b"}},
		"end in an overlong one": {"999999999 <1>" + strings.Repeat("a", 20), []string{"<1>" + strings.Repeat("a", 17) + "~", "aaa~"}},
		"rest is a newline":      {"21 <1>" + strings.Repeat("a", 17) + "\n4 <2>b", []string{"<1>" + strings.Repeat("a", 17) + "~", "<2>b"}},
		"too many digits":        {"1234567890 <1>a\n", []string{"1234567890 <1>a"}},
		"zero in front":          {"04 <1>a\n", []string{"04 <1>a"}},
		"number, no count":       {"12 monkeys\n", []string{"12 monkeys"}},
		"only a number":          {"12\n", []string{"12"}},
		"end in a count":         {"12", []string{"12~"}},
		"end behind a count":     {"12 ", []string{"12 ~"}},
		"NULs":                   {"\x00\x00\n<1>a\x00\n", []string{"\x00\x00", "<1>a\x00"}},
	} {
		t.Run(name, func(t *testing.T) {
			for piece := 1; piece <= len(c.text); piece++ {
				f := &Framer{Limit: 20}
				if diff := cmp.Diff(c.want, cut(f, c.text, piece)); diff != "" {
					t.Fatalf("in pieces of %d (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}

// TestFramerFaults: Flume does not know octet counting, takes a message of just
// the limit for cut and loses what has no newline behind it.
func TestFramerFaults(t *testing.T) {
	long := strings.Repeat("x", 20)
	for _, c := range []struct {
		dialect Dialect
		text    string
		want    []string
	}{
		{Stream, "4 <1>a\n", []string{"4 <1>a"}},
		{Stream, long + "\n<1>a\n", []string{long + "~", "<1>a"}},
		{Stream, "<1>a\n<2>b", []string{"<1>a"}},
		{Stream, "<1\n2>a\n<3>b\n", []string{"<1\n2>a", "<3>b"}},
		{Stream, "<123\na\n<3>b\n", []string{"<123\na", "<3>b"}},
		{Stream, "<1>\na\n", []string{"<1>", "a"}},
		{Line, "<1\n2>a\n", []string{"<1", "2>a"}},
		{Line, long + "\n<1>a\n", []string{long + "~", "<1>a"}},
	} {
		for piece := 1; piece <= len(c.text); piece++ {
			f := &Framer{Limit: 20, Dialect: c.dialect, Flume: true}
			if diff := cmp.Diff(c.want, cut(f, c.text, piece)); diff != "" {
				t.Errorf("%q in pieces of %d (-want +got):\n%s", c.text, piece, diff)
			}
		}
	}
}

func TestDatagram(t *testing.T) {
	for _, c := range []struct{ data, ours, flume string }{
		{"<1>a", "<1>a", "<1>a"},
		{"<1>a\n", "<1>a", "<1>a"},
		{"\n\n<1>a\n\n", "<1>a", "<1>a"},
		{"<1>a\n<2>b\n", "<1>a\n<2>b", "<1>a"},
		{"<1\n2>a\nb", "<1\n2>a\nb", "<1\n2>a"},
		{"a\nb", "a\nb", "a"},
		{"", "", ""},
		{"\n\n", "", ""},
		{"<", "<", ""},
		{"<1", "<1", "<1"},
	} {
		for _, flume := range []bool{false, true} {
			want := c.ours
			if flume {
				want = c.flume
			}
			data := []byte(c.data)
			m, ok := Datagram(data, flume)
			if ok != (want != "") || ok && string(m.Text) != want {
				t.Errorf("%q, faults %v: %q, %v", c.data, flume, m.Text, ok)
			}
			if ok && m.LF && m.Text[:len(m.Text)+1][len(m.Text)] != '\n' {
				t.Errorf("%q, faults %v: there is no newline behind the message", c.data, flume)
			}
		}
	}
}

func ExampleFramer() {
	f := Framer{Limit: 2500}
	data := []byte("<13>one\n8 <13>two\n<13>thr")
	for {
		m, n, ok := f.Next(data)
		data = data[n:]
		if !ok {
			break
		}
		fmt.Printf("%s\n", m.Text)
	}
	fmt.Printf("and then: %s\n", data)
	// Output:
	// <13>one
	// <13>two
	// and then: <13>thr
}
