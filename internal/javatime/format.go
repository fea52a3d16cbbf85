package javatime

import (
	"strconv"
	"time"
)

// Format writes t, in its own location.
func (f *Format) Format(t time.Time) string { return string(f.Append(nil, t)) }

// Append appends t, in its own location, to dst.
func (f *Format) Append(dst []byte, t time.Time) []byte {
	for _, e := range f.elements {
		if e.letter == 0 {
			dst = append(dst, e.text...)
			continue
		}
		dst = f.appendField(dst, e, t)
	}
	return dst
}

func (f *Format) appendField(dst []byte, e element, t time.Time) []byte {
	switch e.letter {
	case 'G':
		if t.Year() <= 0 {
			return append(dst, "BC"...)
		}
		return append(dst, "AD"...)
	case 'y':
		if f.joda {
			return appendYear(dst, t.Year(), e.count)
		}
		return appendYear(dst, eraYear(t), e.count)
	case 'Y':
		if f.joda {
			return appendYear(dst, eraYear(t), e.count)
		}
		year, _ := usWeek(t)
		return appendYear(dst, year, e.count)
	case 'x':
		year, _ := t.ISOWeek()
		return appendYear(dst, year, e.count)
	case 'w':
		if f.joda {
			_, week := t.ISOWeek()
			return appendPadded(dst, week, e.count)
		}
	case 'M', 'L':
		if e.count >= 3 {
			return appendName(dst, t.Month().String(), e.count)
		}
	case 'E':
		return appendName(dst, t.Weekday().String(), e.count)
	case 'a':
		if t.Hour() < 12 {
			return append(dst, "AM"...)
		}
		return append(dst, "PM"...)
	case 'S':
		if f.joda {
			return appendFraction(dst, t.Nanosecond(), e.count)
		}
	case 'z', 'Z', 'X':
		return f.appendZone(dst, e, t)
	}
	return appendPadded(dst, number(e.letter, t), e.count)
}

// number is the value of a field that is plainly written in digits.
func number(letter byte, t time.Time) int {
	switch letter {
	case 'C':
		return eraYear(t) / 100
	case 'M', 'L':
		return int(t.Month())
	case 'w':
		_, week := usWeek(t)
		return week
	case 'W':
		first := int(t.AddDate(0, 0, 1-t.Day()).Weekday())
		return (t.Day()-1+first)/7 + 1
	case 'D':
		return t.YearDay()
	case 'd':
		return t.Day()
	case 'F':
		return (t.Day()-1)/7 + 1
	case 'u', 'e':
		return (int(t.Weekday())+6)%7 + 1
	case 'H':
		return t.Hour()
	case 'k':
		return (t.Hour()+23)%24 + 1
	case 'K':
		return t.Hour() % 12
	case 'h':
		return (t.Hour()+11)%12 + 1
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	}
	return t.Nanosecond() / int(time.Millisecond)
}

func eraYear(t time.Time) int {
	if y := t.Year(); y <= 0 {
		return 1 - y
	}
	return t.Year()
}

// usWeek is the week-based year and week by American rules: weeks start on
// Sunday and the one with 1 January is the first.
func usWeek(t time.Time) (year, week int) {
	saturday := t.AddDate(0, 0, 6-int(t.Weekday()))
	if saturday.Year() > t.Year() {
		return saturday.Year(), 1
	}
	return t.Year(), (saturday.YearDay()-1)/7 + 1
}

func appendYear(dst []byte, year, count int) []byte {
	if count == 2 {
		return appendPadded(dst, abs(year)%100, 2)
	}
	return appendPadded(dst, year, count)
}

func abs(n int) int { return max(n, -n) }

func appendName(dst []byte, name string, count int) []byte {
	if count < 4 {
		name = name[:3]
	}
	return append(dst, name...)
}

func appendPadded(dst []byte, n, width int) []byte {
	if n < 0 {
		dst = append(dst, '-')
		n = -n
	}
	var digits [20]byte
	text := strconv.AppendInt(digits[:0], int64(n), 10)
	for i := len(text); i < width; i++ {
		dst = append(dst, '0')
	}
	return append(dst, text...)
}

// appendFraction writes Joda-Time's fraction of a second, in whole milliseconds.
func appendFraction(dst []byte, nanos, width int) []byte {
	dst = appendPadded(dst, nanos/int(time.Millisecond), 3)
	if width <= 3 {
		return dst[:len(dst)-3+width]
	}
	for ; width > 3; width-- {
		dst = append(dst, '0')
	}
	return dst
}

func (f *Format) appendZone(dst []byte, e element, t time.Time) []byte {
	abbreviation, offset := t.Zone()
	switch {
	case e.letter == 'z':
		return append(dst, zoneText(abbreviation, offset, e.count >= 4)...)
	case e.letter == 'X' && offset == 0:
		return append(dst, 'Z')
	case e.letter == 'X':
		return appendOffset(dst, offset, e.count > 1, e.count == 3)
	case f.joda && e.count >= 3:
		return append(dst, zoneID(t)...)
	}
	return appendOffset(dst, offset, true, f.joda && e.count == 2)
}

func appendOffset(dst []byte, offset int, minutes, colon bool) []byte {
	sign := byte('+')
	if offset < 0 {
		sign, offset = '-', -offset
	}
	dst = appendPadded(append(dst, sign), offset/3600, 2)
	if !minutes {
		return dst
	}
	if colon {
		dst = append(dst, ':')
	}
	return appendPadded(dst, offset/60%60, 2)
}
