package taildir

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
)

// cutAll cuts text as the source does, and returns the bodies and what is left.
func cutAll(c *cutter, text []byte, e ending) (bodies []string, rest string) {
	for {
		body, n, _ := c.first(text, e)
		if n == 0 {
			return bodies, string(text)
		}
		bodies, text = append(bodies, string(body)), text[n:]
	}
}

func cutterOf(t testing.TB, change func(*Config)) *cutter {
	t.Helper()
	cfg := Config{MaxLineLength: 16, What: "previous", MaxLines: 500, MaxBytes: 1 << 20}
	change(&cfg)
	c, err := newCutter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

// cutAtOnce is cutAll with as many lines at once as there are.
func cutAtOnce(c *cutter, text []byte, e ending, most int) (bodies []string, rest string) {
	b := event.NewBatch()
	defer b.Release()
	for {
		taken, n := c.lines(b, b.Copy(text), most)
		if taken == 0 {
			var body []byte
			if body, n, _ = c.first(text, e); n == 0 {
				break
			}
			b.AppendCopy(body)
		}
		text = text[n:]
	}
	for i := range b.Events() {
		bodies = append(bodies, string(b.At(i).Body))
	}
	return bodies, string(text)
}

func TestLines(t *testing.T) {
	c := cutterOf(t, func(*Config) {})
	for _, x := range []struct {
		name, text string
		end        ending
		want       []string
		rest       string
	}{
		{"none", "", more, nil, ""},
		{"lines", "a\n\nb\r\n\r\n", more, []string{"a", "", "b", ""}, ""},
		{"carriage return inside", "a\rb\r\r\n", more, []string{"a\rb\r"}, ""},
		{"incomplete", "a\nbc", more, []string{"a"}, "bc"},
		{"incomplete, nothing has come", "a\nbc", pause, []string{"a"}, "bc"},
		{"incomplete, at the end", "a\nbc", last, []string{"a", "bc"}, ""},
		{"as long as may be", "0123456789abcdef\nx\n", more, []string{"0123456789abcdef", "x"}, ""},
		{"as long as may be, with carriage return", "0123456789abcdef\r\nx\n", more, []string{"0123456789abcdef", "x"}, ""},
		{"too long by one", "0123456789abcdefg\nx\n", more, []string{"0123456789abcdef", "g", "x"}, ""},
		{"too long, incomplete", "0123456789abcdefgh", more, []string{"0123456789abcdef"}, "gh"},
		{"perhaps too long", "0123456789abcdefg", more, nil, "0123456789abcdefg"},
		{"too long at the end", "0123456789abcdefg", last, []string{"0123456789abcdef", "g"}, ""},
		{"a character is not cut", "0123456789abcdé\nx\n", more, []string{"0123456789abcdé", "x"}, ""},
		{"a character is not cut, too long", "0123456789abcdeé\n", more, []string{"0123456789abcde", "é"}, ""},
		{"not text", strings.Repeat("\x80", 20) + "\n", more, []string{strings.Repeat("\x80", 16), strings.Repeat("\x80", 4)}, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, rest := cutAll(c, []byte(x.text), x.end)
			if !slices.Equal(got, x.want) || rest != x.rest {
				t.Errorf("%q and rest %q\nwant %q and rest %q", got, rest, x.want, x.rest)
			}
			for _, most := range []int{1, 2, 1000} {
				got, rest := cutAtOnce(c, []byte(x.text), x.end, most)
				if !slices.Equal(got, x.want) || rest != x.rest {
					t.Errorf("at once, at most %d: %q and rest %q\nwant %q and rest %q", most, got, rest, x.want, x.rest)
				}
			}
		})
	}
}

func TestMultiline(t *testing.T) {
	stack := func(c *Config) { c.MultilineRegex, c.MaxLineLength = `^\s`, 100 }
	dated := func(c *Config) { c.MultilineRegex, c.Negate, c.MaxLineLength = `^\d`, true, 100 }
	backslash := func(c *Config) { c.MultilineRegex, c.What, c.MaxLineLength = `\\$`, "next", 100 }
	few := func(c *Config) { stack(c); c.MaxLines = 2 }
	small := func(c *Config) { stack(c); c.MaxBytes = 16 }
	for _, x := range []struct {
		name   string
		change func(*Config)
		text   string
		end    ending
		want   []string
		rest   string
	}{
		{"the last is not complete", stack, "a\n b\n c\nd\n e\n", more, []string{"a\n b\n c"}, "d\n e\n"},
		{"the last after a while", stack, "a\n b\nd\n e\n f", pause, []string{"a\n b", "d\n e"}, " f"},
		{"the last at the end", stack, "a\n b\nd\n e", last, []string{"a\n b", "d\n e"}, ""},
		{"the end begins another", stack, "a\nb", last, []string{"a", "b"}, ""},
		{"begins in the middle", stack, " b\na\nc\n", more, []string{" b", "a"}, "c\n"},
		{"carriage returns", stack, "a\r\n b\r\nc\r\n", more, []string{"a\r\n b"}, "c\r\n"},
		{"an incomplete line says nothing", stack, "a\n b", more, nil, "a\n b"},
		{"negated", dated, "1 a\nb\n\n2 c\n3\n", more, []string{"1 a\nb\n", "2 c"}, "3\n"},
		{"next", backslash, "a\\\nb\\\nc\nd\ne\\\n", more, []string{"a\\\nb\\\nc", "d"}, "e\\\n"},
		{"next, after a while", backslash, "e\\\n", pause, []string{"e\\"}, ""},
		{"next, at the end", backslash, "e\\", last, []string{"e\\"}, ""},
		{"most lines", few, "a\n b\n c\n d\ne\n", more, []string{"a\n b", " c\n d"}, "e\n"},
		{"most bytes", small, "aaaaaaa\n bbbbbb\n ccc\nd\n", more, []string{"aaaaaaa\n bbbbbb", " ccc"}, "d\n"},
		{"most bytes, by one line", small, "a\n bbbbbbbbbbbbbbbbbbb\nd\n", more, []string{"a", " bbbbbbbbbbbbbbb", "bbbb"}, "d\n"},
		{"most bytes without an end", small, strings.Repeat("x", 20), more, []string{strings.Repeat("x", 16)}, "xxxx"},
		{"lines and most bytes without an end", small, "aaaaaaaaaa\n " + strings.Repeat("b", 20), more, []string{"aaaaaaaaaa", " bbbbbbbbbbbbbbb"}, "bbbbb"},
	} {
		t.Run(x.name, func(t *testing.T) {
			got, rest := cutAll(cutterOf(t, x.change), []byte(x.text), x.end)
			if !slices.Equal(got, x.want) || rest != x.rest {
				t.Errorf("%q and rest %q\nwant %q and rest %q", got, rest, x.want, x.rest)
			}
		})
	}
}

// FuzzCutter checks of any text: no byte is lost or made up, events are not larger
// than they may be, a text within reach always has one, and what is cut does not
// depend on how much of the text is seen at once.
func FuzzCutter(f *testing.F) {
	for _, text := range []string{"", "a\nb\r\n", "a\n b\n\n  c\\\nd", strings.Repeat("x", 40) + "\n", "\r\r\n\n \xff\xfe\n"} {
		for mode := range uint8(4) {
			f.Add([]byte(text), mode, uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, mode, step uint8) {
		c := cutterOf(t, func(cfg *Config) {
			cfg.MaxBytes, cfg.MaxLines = 24, 3
			switch mode % 4 {
			case 1:
				cfg.MultilineRegex = `^\s`
			case 2:
				cfg.MultilineRegex, cfg.Negate = `^\d`, true
			case 3:
				cfg.MultilineRegex, cfg.What = `\\$`, "next"
			}
		})
		whole, _ := cutAll(c, text, last)
		var parts []string
		have, rest := 0, text
		for {
			have = min(have+1+int(step%8), len(rest))
			end := more
			if have == len(rest) {
				end = last
			}
			body, n, _ := c.first(rest[:have], end)
			if n == 0 {
				if have == len(rest) {
					break
				}
				if have >= c.reach() {
					t.Fatalf("in the %d bytes %q there is no event", have, rest[:have])
				}
				continue
			}
			if !bytes.HasPrefix(rest, body) || n > have || len(bytes.Trim(rest[len(body):n], "\r\n")) > 0 || len(body) > 24 {
				t.Fatalf("event %q takes %d bytes of %q", body, n, rest)
			}
			parts, rest, have = append(parts, string(body)), rest[n:], max(0, have-n)
		}
		if len(rest) > 0 {
			t.Fatalf("left over is %q", rest)
		}
		if !slices.Equal(whole, parts) {
			t.Fatalf("at once   %q\nin pieces %q", whole, parts)
		}
	})
}
