package syslog

import (
	"strconv"
	"time"
)

// stampKind is the form of a stamp, and of the message around it.
type stampKind int

const (
	kindNone stampKind = iota
	kind5424
	kind3164
	kindCustom
)

// stampCache is the last stamp and its value: of the messages of a busy stream
// most have the stamp of the one before.
type stampCache struct {
	kind   stampKind
	key    [48]byte
	n      int // length of key; 0 for an empty cache
	ok     bool
	digits [20]byte // the value as text, for the header
	size   int
	// fraction is how many digits of key are a fraction after which its second can be told again; 0 for none.
	fraction int
}

// fractionAt is where the digits of a fraction are.
const fractionAt = civilLength + len(".")

// civil is the date and the time of day of the last stamp of RFC 5424, if that was a good one.
func (c *stampCache) civil() []byte {
	if c.n < civilLength || c.kind != kind5424 || !c.ok {
		return nil
	}
	return c.key[:civilLength]
}

// advance takes another stamp of the same second and zone, which differs in the digits of the fraction alone, and
// reports whether it is one. Stamps of a busy stream nearly always are.
func (c *stampCache) advance(kind stampKind, stamp []byte) bool {
	if c.fraction == 0 || c.kind != kind || len(stamp) != c.n || string(stamp[:fractionAt]) != string(c.key[:fractionAt]) {
		return false
	}
	digits, zone := cutFraction(stamp[civilLength:])
	if len(digits) != c.fraction || string(zone) != string(c.key[fractionAt+c.fraction:c.n]) {
		return false
	}
	copy(c.key[fractionAt:], digits)
	last := c.digits[c.size-3 : c.size]
	for i := range last {
		last[i] = '0'
		if i < len(digits) {
			last[i] = digits[i]
		}
	}
	return true
}

// resolve finds the value of a stamp, which p.stamp then has, and reports whether
// it has one.
func (p *Parser) resolve(kind stampKind, stamp []byte) bool {
	c := &p.stamp
	if c.n > 0 && c.kind == kind && string(c.key[:c.n]) == string(stamp) {
		return c.ok
	}
	if c.n > 0 && c.advance(kind, stamp) {
		return true
	}
	millis, ok := p.millis(kind, stamp)
	c.kind, c.ok, c.n, c.fraction = kind, ok, 0, 0
	c.size = len(strconv.AppendInt(c.digits[:0], millis, 10))
	if len(stamp) > len(c.key) {
		return ok
	}
	c.n = copy(c.key[:], stamp)
	// Before 1970, and in Flume's way, a fraction is not just the last digits of the value.
	if ok && kind == kind5424 && millis >= 1000 && !p.opt.Flume {
		digits, _ := cutFraction(stamp[civilLength:])
		c.fraction = len(digits)
	}
	return ok
}

// millis returns the value of a stamp in milliseconds since 1970.
func (p *Parser) millis(kind stampKind, stamp []byte) (int64, bool) {
	switch {
	case kind == kindCustom:
		return p.opt.Custom.millis(stamp, p.opt.Zone)
	case kind == kind3164 && p.opt.Dialect == Line:
		return p.lineMillis3164(stamp)
	case kind == kind3164:
		c, ok := civil3164(stamp)
		if !ok {
			return 0, false
		}
		return yearless(c, p.now, p.opt.Zone, p.opt.Flume).UnixMilli(), true
	case p.opt.Dialect == Line:
		return lineMillis5424(stamp)
	default:
		return p.streamMillis5424(stamp)
	}
}

// streamMillis5424 reads a stamp that has the right form. Fields that are out of
// range are carried over, as by Java's calendar: there is no telling what else
// 31 April was to mean.
func (p *Parser) streamMillis5424(stamp []byte) (int64, bool) {
	c := readCivil(stamp)
	digits, rest := cutFraction(stamp[civilLength:])
	if p.opt.Flume && len(digits) > 0 {
		// Flume reads such a stamp with a pattern that ends at the fraction,
		// and its digits as a number of milliseconds.
		ms := int64(number(digits[:min(3, len(digits))]))
		return c.in(p.opt.Zone).UnixMilli() + ms, true
	}
	ms := fractionMillis(digits)
	switch {
	case len(rest) == 0:
		return c.in(p.opt.Zone).UnixMilli() + ms, true
	case rest[0] == 'Z':
		return c.in(time.UTC).UnixMilli() + ms, true
	}
	offset, ok := offsetMillis(rest)
	if !ok {
		return c.in(p.opt.Zone).UnixMilli() + ms, p.opt.Flume
	}
	return c.in(time.UTC).UnixMilli() + ms - offset, true
}

// lineMillis5424 reads a stamp as Flume's line parser does: strictly, except that
// any character stands for UTC.
func lineMillis5424(stamp []byte) (int64, bool) {
	if len(stamp) <= civilLength || !likeCivil(stamp) {
		return 0, false
	}
	c := readCivil(stamp)
	if !c.valid() {
		return 0, false
	}
	rest := stamp[civilLength:]
	var digits []byte
	if rest[0] == '.' {
		if digits, rest = cutFraction(rest); len(digits) == 0 || len(rest) == 0 {
			return 0, false
		}
	}
	ms := c.in(time.UTC).UnixMilli() + fractionMillis(digits)
	if rest[0] != '+' && rest[0] != '-' {
		return ms, true
	}
	if !isOffset(rest) {
		return 0, false
	}
	sign := int64(1)
	if rest[0] == '-' {
		sign = -1
	}
	minutes := int64(60*number(rest[1:3]) + number(rest[4:6]))
	return ms - sign*minutes*60_000, true
}

// civil is a date and a time of day without a zone.
type civil struct{ year, month, day, hour, minute, second int }

const (
	civilLength  = len("2006-01-02T15:04:05")
	offsetLength = len("+01:00")
)

// likeCivil reports whether text begins with the form 2006-01-02T15:04:05.
func likeCivil(text []byte) bool {
	return len(text) >= civilLength &&
		areDigits(text[:4]) && text[4] == '-' && areDigits(text[5:7]) && text[7] == '-' && areDigits(text[8:10]) &&
		text[10] == 'T' && likeClock(text[11:])
}

// likeClock reports whether text begins with the form 15:04:05.
func likeClock(text []byte) bool {
	return len(text) >= 8 && areDigits(text[:2]) && text[2] == ':' && areDigits(text[3:5]) && text[5] == ':' && areDigits(text[6:8])
}

// isOffset reports whether text begins with the form +01:00.
func isOffset(text []byte) bool {
	return len(text) >= offsetLength && (text[0] == '+' || text[0] == '-') &&
		areDigits(text[1:3]) && text[3] == ':' && areDigits(text[4:6])
}

// readCivil reads what likeCivil has approved.
func readCivil(text []byte) civil {
	c := civil{year: number(text[:4]), month: number(text[5:7]), day: number(text[8:10])}
	c.clock(text[11:])
	return c
}

func (c *civil) clock(text []byte) {
	c.hour, c.minute, c.second = number(text[:2]), number(text[3:5]), number(text[6:8])
}

// civil3164 reads what stamp3164 has approved; the year is 0.
func civil3164(stamp []byte) (c civil, ok bool) {
	c.month = month(stamp)
	clock := stamp[len(stamp)-8:]
	for _, d := range stamp[3 : len(stamp)-9] {
		if isDigit(d) {
			c.day = 10*c.day + int(d-'0')
		}
	}
	c.clock(clock)
	return c, c.month > 0
}

const months = "janfebmaraprmayjunjulaugsepoctnovdec"

// month returns the month whose first three letters name begins with, in any
// case; 0 without one.
func month(name []byte) int {
	for m := 0; m < 12; m++ {
		s := months[3*m:]
		if name[0]|0x20 == s[0] && name[1]|0x20 == s[1] && name[2]|0x20 == s[2] {
			return m + 1
		}
	}
	return 0
}

// in returns the moment in zone. Fields out of range are carried over.
func (c civil) in(zone *time.Location) time.Time {
	return time.Date(c.year, time.Month(c.month), c.day, c.hour, c.minute, c.second, 0, zone)
}

// valid reports whether no field is out of range.
func (c civil) valid() bool {
	return c.month >= 1 && c.month <= 12 && c.day >= 1 && c.day <= daysIn(c.year, c.month) &&
		c.hour < 24 && c.minute < 60 && c.second < 60
}

// cutFraction takes a point and digits off.
func cutFraction(text []byte) (digits, rest []byte) {
	if len(text) == 0 || text[0] != '.' {
		return nil, text
	}
	n := 1
	for n < len(text) && isDigit(text[n]) {
		n++
	}
	return text[1:n], text[n:]
}

// fractionMillis returns the milliseconds of the digits behind the point.
func fractionMillis(digits []byte) int64 {
	ms := int64(0)
	for i := range 3 {
		ms *= 10
		if i < len(digits) {
			ms += int64(digits[i] - '0')
		}
	}
	return ms
}

// offsetMillis reads what isOffset has approved; there is no offset of a day.
func offsetMillis(text []byte) (int64, bool) {
	hours, minutes := number(text[1:3]), number(text[4:6])
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	ms := int64(60*hours+minutes) * 60_000
	if text[0] == '-' {
		ms = -ms
	}
	return ms, true
}

func areDigits(text []byte) bool {
	for _, c := range text {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// number reads a few digits.
func number(digits []byte) int {
	n := 0
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n
}
