//go:build e2e

package e2e

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
)

// TestNetcat sends lines to netcat sources of every setting and compares their answers and what a
// file_roll sink writes, with interceptors, selectors and serializers between.
func TestNetcat(t *testing.T) {
	t.Parallel()
	var c topology
	c.netcat("plain", "plain")
	c.store("plain")
	c.netcat("quiet", "quiet", "ack-every-event = false", "max-line-length = 10")
	c.store("quiet", "sink.serializer = header_and_text")
	c.netcat("long", "long", "max-line-length = 10")
	c.store("long", "sink.serializer.appendNewline = false")
	c.netcat("wide", "wide", "encoding = UTF-16BE")
	c.store("wide")
	// Ours keeps malformed input unless told to do as Flume does.
	c.netcat("broken", "broken", "malformed-input = close")
	c.store("broken")
	c.netcat("full", "full")
	c.channel("full", "type = memory", "capacity = 1", "transactionCapacity = 1", "keep-alive = 0")
	c.netcat("filter", "filter",
		"interceptors = keep drop swap cut",
		"interceptors.keep.type = regex_filter", `interceptors.keep.regex = ^\\d+ `,
		"interceptors.drop.type = regex_filter", "interceptors.drop.regex = (?i)debug", "interceptors.drop.excludeEvents = true",
		"interceptors.swap.type = search_replace", `interceptors.swap.searchPattern = ^(\\d+) (?<word>\\w+)`,
		"interceptors.swap.replaceString = ${word}<$1>",
		"interceptors.cut.type = search_replace", `interceptors.cut.searchPattern = \\s+$`, "interceptors.cut.replaceString =")
	c.store("filter")
	c.netcat("mux", "mux-a mux-b mux-both mux-default mux-optional",
		"interceptors = kind", "interceptors.kind.type = regex_extractor", `interceptors.kind.regex = ^([\\w.]+)-`,
		"interceptors.kind.serializers = s", "interceptors.kind.serializers.s.name = kind",
		"selector.type = multiplexing", "selector.header = kind",
		"selector.mapping.a = mux-a mux-both", "selector.mapping.b.c = mux-b mux-both",
		"selector.optional.a = mux-optional mux-a", "selector.optional.x = mux-optional",
		"selector.default = mux-default")
	for _, name := range []string{"mux-a", "mux-b", "mux-both", "mux-default", "mux-optional"} {
		c.store(name)
	}
	c.netcat("copy", "copy-a copy-b copy-optional", "selector.type = replicating", "selector.optional = copy-optional")
	c.store("copy-a")
	c.store("copy-b")
	c.channel("copy-optional", "type = memory", "capacity = 1", "transactionCapacity = 1", "keep-alive = 0")
	conf := c.String()
	input := map[string]string{
		"plain":  "one\ntwo\r\n\nünï € 😀\nnot ended",
		"quiet":  "short\n0123456789ABC\nafter\n",
		"long":   "123456789\nüüüüüüüüü\n1234567890\nafter\n",
		"wide":   utf16BE("grün\n"),
		"full":   "first\nsecond\nthird\n",
		"filter": "12 apples  \nno number\n7 debug\n8 DEBUG\n99 pears, 3 plums\n",
		"copy":   "1\n2\n3\n",
		"mux":    "a-1\nb.c-2\nA-3\nx-4\nnone\na-5\n",
	}
	const refused = "FAILED: Event exceeds the maximum length (10 chars, including newline)\n"
	const full = "FAILED: <why>\n" // the words of the channel's error are not part of the protocol
	want := seen{
		"answers plain":  strings.Repeat("OK\n", 4),
		"answers quiet":  refused,
		"answers long":   "OK\nOK\n" + refused,
		"answers wide":   utf16BE("OK\n"),
		"answers full":   "OK\n" + full + full,
		"answers filter": strings.Repeat("OK\n", 5),
		"answers mux":    strings.Repeat("OK\n", 6),
		"answers copy":   strings.Repeat("OK\n", 3),
		"answers broken": "OK\n",
		"plain":          "one\ntwo\r\n\nünï € 😀\n",
		"quiet":          "{} short\n",
		"long":           "123456789üüüüüüüüü",
		"wide":           "grün\n",
		"broken":         "good\n",
		"filter":         "apples<12>\npears<99>, 3 plums\n",
		"copy-a":         "1\n2\n3\n",
		"copy-b":         "1\n2\n3\n",
		"mux-a":          "a-1\na-5\n",
		"mux-b":          "b.c-2\n",
		"mux-both":       "a-1\nb.c-2\na-5\n",
		"mux-default":    "A-3\nx-4\nnone\n",
		"mux-optional":   "a-1\nx-4\na-5\n",
	}
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		got := make(seen)
		for name, text := range input {
			got["answers "+name] = harness.Converse(t, site.Addr(name), text)
		}
		got["answers full"] = reason.ReplaceAllString(got["answers full"], "FAILED: <why>")
		got["answers broken"] = converseMalformed(t, site.Addr("broken"))
		stored(t, site, want, got, "plain", "quiet", "long", "wide", "broken", "filter",
			"copy-a", "copy-b", "mux-a", "mux-b", "mux-both", "mux-default", "mux-optional")
		return got
	})
}

// reason is a refusal with the words of whoever refused.
var reason = regexp.MustCompile(`FAILED: .+`)

// converseMalformed sends a good line, waits for its answer, sends bytes that are not UTF-8 and returns
// everything it was told until the server closed the connection.
func converseMalformed(t *testing.T, addr string) string {
	t.Helper()
	conn := harness.Dial(t, addr)
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(deliveryLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "good\n"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 3)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatalf("reading the answer to a good line: %v", err)
	}
	if _, err := io.WriteString(conn, "\xff\xfe\nafter\n"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(conn)
	if err != nil {
		t.Fatalf("waiting for the connection to be closed after malformed input: %v", err)
	}
	return string(answer) + string(rest)
}

// utf16BE encodes text of the basic plane.
func utf16BE(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteByte(byte(r >> 8))
		b.WriteByte(byte(r))
	}
	return b.String()
}
