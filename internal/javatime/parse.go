package javatime

import (
	"fmt"
	"strings"
	"time"
)

// fields are the values read from a text, with the order in which they were set:
// where fields contradict each other, SimpleDateFormat believes the last.
type fields struct {
	value [128]int // by letter
	stamp [128]int // by letter; 0 when not set
	count int
	zone  *time.Location // from the text, else nil
	short byte           // the year letter whose two digits stand for two years, else 0
}

func (v *fields) set(key byte, n int) {
	v.value[key] = n
	v.count++
	v.stamp[key] = v.count
}

func (v *fields) has(key byte) bool { return v.stamp[key] > 0 }

// get is the value of a field, or def when it was not in the text.
func (v *fields) get(key byte, def int) int {
	if v.has(key) {
		return v.value[key]
	}
	return def
}

// Parse reads s in loc, unless s itself names a zone.
//
// SimpleDateFormat patterns are lenient as in Java: numbers out of range carry
// over, and text behind the match is ignored. Their letters W and F cannot be
// parsed. Joda-Time patterns must match all of s, values must be in range, and a
// missing year is 2000 when there is a month or day, else 1970.
func (f *Format) Parse(s string, loc *time.Location) (time.Time, error) {
	p := parser{f: f, s: s, loc: loc}
	for i, e := range f.elements {
		if err := p.element(e, i); err != nil {
			return time.Time{}, err
		}
	}
	if f.joda {
		if p.pos < len(s) {
			return time.Time{}, p.fail("there is text behind the date")
		}
		return p.resolveJoda()
	}
	return p.resolveSimple()
}

type parser struct {
	f     *Format
	s     string
	pos   int
	start int // of the current element, before the spaces in front of it
	loc   *time.Location
	v     fields
}

// maxShown bounds how much of a text an error quotes.
const maxShown = 64

func (p *parser) fail(format string, args ...any) error {
	shown := p.s
	if len(shown) > maxShown {
		shown = shown[:maxShown] + "…"
	}
	return fmt.Errorf("parsing date %q by pattern %q: offset %d: %s", shown, p.f.pattern, p.pos, fmt.Sprintf(format, args...))
}

func (p *parser) rest() string { return p.s[p.pos:] }

func (p *parser) element(e element, i int) error {
	if e.letter == 0 {
		return p.literal(e.text)
	}
	p.start = p.pos
	if !p.f.joda {
		p.pos += len(p.rest()) - len(strings.TrimLeft(p.rest(), " \t"))
	}
	adjacent := i+1 < len(p.f.elements) && p.f.elements[i+1].numeric()
	switch e.letter {
	case 'G':
		return p.era()
	case 'a':
		return p.halfDay()
	case 'E':
		return p.name('E', 7, func(n int) string { return time.Weekday(n % 7).String() })
	case 'z', 'Z', 'X':
		return p.zone(e)
	case 'M', 'L':
		if e.count >= 3 {
			return p.name('M', 12, func(n int) string { return time.Month(n).String() })
		}
	case 'y', 'Y', 'x':
		return p.year(e, adjacent)
	case 'W', 'F':
		return p.fail("the letter %c can be formatted, but not parsed", e.letter)
	case 'S':
		if p.f.joda {
			return p.fraction(e.count)
		}
	}
	return p.number(e, adjacent)
}

// literal matches plain text; Joda-Time ignores its case.
func (p *parser) literal(text string) error {
	rest := p.rest()
	if len(rest) < len(text) || rest[:len(text)] != text && (!p.f.joda || !strings.EqualFold(rest[:len(text)], text)) {
		return p.fail("there should be %q", text)
	}
	p.pos += len(text)
	return nil
}

// maxDigits bounds numbers so that all arithmetic on them stays in range.
const maxDigits = 9

// jodaDigits is the greatest number of digits Joda-Time reads for a field.
var jodaDigits = map[byte]int{'D': 3, 'e': 1}

// number reads a plain number. Directly before another numeric field
// SimpleDateFormat takes exactly as many digits as the pattern has letters.
func (p *parser) number(e element, adjacent bool) error {
	limit := maxDigits
	signed := true
	switch {
	case p.f.joda:
		if limit = jodaDigits[e.letter]; limit == 0 {
			limit = 2
		}
		if e.letter == 'C' {
			limit = min(e.count, maxDigits)
		}
		signed = false
	case adjacent:
		if limit = p.start + e.count - p.pos; len(p.rest()) < limit {
			return p.fail("there should be %d digits for %c", e.count, e.letter)
		}
	}
	n, _, err := p.digits(limit, signed, e.letter)
	if err != nil {
		return err
	}
	key := e.letter
	switch key {
	case 'L':
		key = 'M'
	case 'u', 'e':
		key = 'E'
	case 'k':
		if key = 'H'; n == 24 {
			n = 0
		} else if n == 0 && p.f.joda {
			return p.fail("the value 0 is out of range for k")
		}
	case 'h':
		if key = 'K'; n == 12 {
			n = 0
		} else if n == 0 && p.f.joda {
			return p.fail("the value 0 is out of range for h")
		}
	}
	p.v.set(key, n)
	return nil
}

// digits reads up to limit digits behind an optional sign.
func (p *parser) digits(limit int, signed bool, letter byte) (n, width int, err error) {
	i, negative := p.pos, false
	if signed && i+1 < len(p.s) && (p.s[i] == '-' || p.s[i] == '+' && p.f.joda) && isDigit(p.s[i+1]) {
		negative = p.s[i] == '-'
		if i++; !p.f.joda {
			limit--
		}
	}
	start := i
	for i < len(p.s) && i-start < limit && isDigit(p.s[i]) {
		n = n*10 + int(p.s[i]-'0')
		i++
	}
	if i == start {
		return 0, 0, p.fail("there should be a number for %c", letter)
	}
	if limit >= maxDigits && i < len(p.s) && isDigit(p.s[i]) {
		return 0, 0, p.fail("the number for %c is too long", letter)
	}
	width = i - start
	if start > p.pos {
		width = -width // a sign makes a year absolute, whatever its length
	}
	if p.pos = i; negative {
		n = -n
	}
	return n, width, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// year reads y, Y and x. Two digits are a year near the present when the pattern
// has one or two letters (Joda-Time: two).
func (p *parser) year(e element, adjacent bool) error {
	limit, signed := maxDigits, !p.f.joda || e.letter != 'Y'
	if adjacent {
		limit = p.start + e.count - p.pos
		if !p.f.joda && len(p.rest()) < limit {
			return p.fail("there should be %d digits for %c", limit, e.letter)
		}
	}
	if p.f.joda && e.count == 2 {
		signed = signed && !adjacent || e.letter == 'Y' && !adjacent
	}
	n, width, err := p.digits(limit, signed, e.letter)
	if err != nil {
		return err
	}
	key := e.letter
	if p.f.joda && e.count == 2 {
		if adjacent && width != 2 {
			return p.fail("there should be two digits for %c", e.letter)
		}
		if width == 2 {
			n = nearYear(n, p.f.now().Year()-80)
		}
		if key == 'Y' {
			key = 'y'
		}
	}
	if !p.f.joda && e.count <= 2 && width == 2 {
		n = p.pivot(key, n)
	}
	p.v.set(key, n)
	return nil
}

// nearYear is the year with the last two digits n in the century from first on.
func nearYear(n, first int) int {
	year := first - first%100 + n
	if year < first {
		year += 100
	}
	return year
}

// pivot is nearYear by SimpleDateFormat, whose century begins 80 years ago to
// the instant; the year in which it begins is settled once the date is known.
func (p *parser) pivot(key byte, n int) int {
	first := p.f.now().Year() - 80
	if n == first%100 {
		p.v.short = key
	}
	return nearYear(n, first)
}

// fraction reads digits of a second; those below milliseconds are dropped.
func (p *parser) fraction(limit int) error {
	millis, unit, start := 0, 100, p.pos
	for p.pos < len(p.s) && p.pos-start < limit && isDigit(p.s[p.pos]) {
		millis += int(p.s[p.pos]-'0') * unit
		unit /= 10
		p.pos++
	}
	if p.pos == start {
		return p.fail("there should be digits of a second")
	}
	p.v.set('S', millis)
	return nil
}

// matchWord reports whether word is next. Joda-Time knows a word as written, in
// upper and in lower case; SimpleDateFormat ignores case.
func (p *parser) matchWord(word string) bool {
	if len(p.rest()) < len(word) {
		return false
	}
	got := p.rest()[:len(word)]
	if p.f.joda {
		return got == word || got == strings.ToUpper(word) || got == strings.ToLower(word)
	}
	return strings.EqualFold(got, word)
}

// name reads the long or short form of one of count names.
func (p *parser) name(key byte, count int, name func(int) string) error {
	for n := 1; n <= count; n++ {
		for _, word := range []string{name(n), name(n)[:3]} {
			if p.matchWord(word) {
				p.pos += len(word)
				p.v.set(key, n)
				return nil
			}
		}
	}
	return p.fail("there should be a name for %c", key)
}

func (p *parser) era() error {
	words := []string{"AD", "BC"}
	if p.f.joda {
		words = []string{"AD", "BC", "CE", "BCE"}
	}
	best, era := "", 0
	for i, w := range words {
		if len(w) > len(best) && p.matchWord(w) {
			best, era = w, i%2
		}
	}
	if strings.HasPrefix(best, "B") {
		era = 1
	}
	if best == "" {
		return p.fail("there should be AD or BC")
	}
	p.pos += len(best)
	p.v.set('G', era)
	return nil
}

func (p *parser) halfDay() error {
	for half, w := range []string{"AM", "PM"} {
		if p.matchWord(w) {
			p.pos += len(w)
			p.v.set('a', half)
			return nil
		}
	}
	return p.fail("there should be AM or PM")
}
