package syslog

import "time"

// yearless finds the year of a stamp that has none: the one that puts it into
// the twelve months from eleven months ago to a month ahead.
func yearless(c civil, now time.Time, zone *time.Location, flume bool) time.Time {
	c.year = now.UTC().Year()
	if c.month == 2 && c.day == 29 && !flume && !leap(c.year) && leap(c.year-1) {
		c.year-- // the last one that there was
		return c.in(zone)
	}
	t := c.in(zone)
	years := 0
	switch {
	case t.After(now) && addMonths(t, -1).After(now):
		years = -1
	case t.Before(now) && addMonths(t, 11).Before(now):
		years = 1
	}
	if flume {
		return addMonths(t, 12*years)
	}
	c.year += years
	return c.in(zone)
}

// lineMillis3164 reads a stamp without a year for the dialect Line.
func (p *Parser) lineMillis3164(stamp []byte) (int64, bool) {
	if p.opt.Flume {
		return p.faultyMillis(stamp), true
	}
	c, ok := civil3164(stamp)
	c.year = 2000 // has 29 February
	if !ok || !c.valid() {
		return 0, false
	}
	return yearless(c, p.now, p.opt.Zone, false).UnixMilli(), true
}

// faultyMillis is the value that Flume's line parser finds: 0 for what is not a
// stamp, and a year next to 2000, which its date library falls back on, for what
// is more than a month from now.
func (p *Parser) faultyMillis(stamp []byte) int64 {
	if stamp3164(stamp) != lineLength {
		return 0
	}
	c, ok := civil3164(stamp)
	c.year = 2000
	if !ok || !c.valid() {
		return 0
	}
	pivot := c.in(p.opt.Zone)
	t := addMonths(pivot, 12*(p.now.Year()-c.year))
	switch {
	case t.After(p.now) && addMonths(t, -1).After(p.now):
		t = addMonths(pivot, -12)
	case t.Before(p.now) && addMonths(t, 1).Before(p.now):
		t = addMonths(pivot, 12)
	}
	return t.UnixMilli()
}

// addMonths adds n months; a day that the month does not have becomes its last,
// as in Java.
func addMonths(t time.Time, n int) time.Time {
	if n == 0 {
		return t
	}
	year, month, day := t.Date()
	m := int(month) - 1 + n
	year += m / 12
	if m %= 12; m < 0 {
		m += 12
		year--
	}
	day = min(day, daysIn(year, m+1))
	hour, minute, second := t.Clock()
	return time.Date(year, time.Month(m+1), day, hour, minute, second, t.Nanosecond(), t.Location())
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }
