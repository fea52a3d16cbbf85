package javaregex

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Template is a replacement text in the syntax of Matcher.replaceAll. It is
// immutable and belongs to the Regexp it was compiled for.
type Template struct {
	parts []templatePart
}

// templatePart is literal text followed by the text of a group, or by nothing
// when group is negative.
type templatePart struct {
	text  string
	group int
}

// CompileTemplate parses a replacement for re: $n and ${name} stand for groups, a
// backslash makes the next character literal. Of the digits after $ as many are
// used as still name a group. A group that re does not have is an error.
func CompileTemplate(re *Regexp, replacement string) (*Template, error) {
	c := templateCompiler{re: re, src: replacement}
	for c.pos < len(c.src) {
		switch c.src[c.pos] {
		case '\\':
			if c.pos+1 == len(c.src) {
				return nil, c.fail("the character after the backslash is missing")
			}
			_, size := utf8.DecodeRuneInString(c.src[c.pos+1:])
			c.text.WriteString(c.src[c.pos+1 : c.pos+1+size])
			c.pos += 1 + size
		case '$':
			group, err := c.group()
			if err != nil {
				return nil, err
			}
			c.parts = append(c.parts, templatePart{c.text.String(), group})
			c.text.Reset()
		default:
			c.text.WriteByte(c.src[c.pos])
			c.pos++
		}
	}
	if c.text.Len() > 0 {
		c.parts = append(c.parts, templatePart{c.text.String(), -1})
	}
	return &Template{c.parts}, nil
}

type templateCompiler struct {
	re    *Regexp
	src   string
	pos   int
	text  strings.Builder
	parts []templatePart
}

func (c *templateCompiler) fail(format string, args ...any) error {
	return fmt.Errorf("compiling replacement %q for regular expression %q: column %d: %s", c.src, c.re.pattern,
		utf8.RuneCountInString(c.src[:c.pos])+1, fmt.Sprintf(format, args...))
}

// group parses a reference that starts at the dollar sign.
func (c *templateCompiler) group() (int, error) {
	rest := c.src[c.pos+1:]
	switch {
	case rest == "":
		return 0, c.fail(`the group after $ is missing; write \$ for a dollar sign`)
	case rest[0] == '{':
		return c.named(rest[1:])
	case rest[0] < '0' || rest[0] > '9':
		return 0, c.fail(`illegal group reference; write \$ for a dollar sign`)
	}
	group, used := int(rest[0]-'0'), 1
	for ; used < len(rest) && rest[used] >= '0' && rest[used] <= '9'; used++ {
		next := group*10 + int(rest[used]-'0')
		if next > c.re.groups {
			break
		}
		group = next
	}
	if group > c.re.groups {
		return 0, c.fail("there is no group %d, the pattern has %d", group, c.re.groups)
	}
	c.pos += 1 + used
	return group, nil
}

func (c *templateCompiler) named(rest string) (int, error) {
	name, _, closed := strings.Cut(rest, "}")
	if !closed {
		return 0, c.fail("the group name has no closing brace")
	}
	group, ok := c.re.names[name]
	if !ok {
		return 0, c.fail("there is no group named %q", name)
	}
	c.pos += len("${}") + len(name)
	return group, nil
}

func (t *Template) append(dst, b []byte, loc []int) []byte {
	for _, p := range t.parts {
		dst = append(dst, p.text...)
		if p.group >= 0 && loc[2*p.group] >= 0 {
			dst = append(dst, b[loc[2*p.group]:loc[2*p.group+1]]...)
		}
	}
	return dst
}

// AppendReplaceAll appends b to dst with every match replaced by t, as
// Matcher.replaceAll, and reports whether there was a match. Bytes outside matches
// are copied as they are, valid UTF-8 or not. On error dst is returned unchanged.
// b must not overlap the spare capacity of dst.
func (re *Regexp) AppendReplaceAll(dst, b []byte, t *Template) (out []byte, changed bool, err error) {
	out, copied := dst, 0
	replace := func(loc []int) {
		out = append(out, b[copied:loc[0]]...)
		out = t.append(out, b, loc)
		copied = loc[1]
		changed = true
	}
	if re.runsLinear(b) {
		re.linear.each(b, replace)
	} else if err := re.back.each(b, replace); err != nil {
		return dst, false, re.matchError(err)
	}
	return append(out, b[copied:]...), changed, nil
}

// each calls f with the offsets of every match in turn, which f must not keep.
// Like Java, and unlike package regexp, it accepts an empty match right behind
// another match.
func (e *linearEngine) each(b []byte, f func(loc []int)) {
	text, offsets := sanitize(b)
	var loc []int
	for from := 0; from <= len(text); {
		var ok bool
		if loc, ok = e.submatch(loc[:0], text, from, nil); !ok {
			return
		}
		start, end := loc[0], loc[1]
		if offsets != nil {
			for i, at := range loc {
				if at >= 0 {
					loc[i] = offsets[at]
				}
			}
		}
		f(loc)
		if from = end; start == end {
			_, size := utf8.DecodeRune(text[end:])
			from += max(size, 1)
		}
	}
}
