package javatime

import (
	"strings"
	"time"
)

func (p *parser) zone(e element) error {
	if !p.f.joda {
		return p.simpleZone(e)
	}
	switch {
	case e.letter == 'z' && e.count >= 4:
		return p.fail("Joda-Time cannot parse long zone names (zzzz)")
	case e.letter == 'z':
		return p.jodaName()
	case e.count >= 3:
		return p.jodaID()
	}
	return p.jodaOffset()
}

func (p *parser) setOffset(seconds int) {
	if seconds == 0 {
		p.v.zone = time.UTC
		return
	}
	p.v.zone = time.FixedZone("", seconds)
}

// simpleZone reads z, Z or X: an offset, with or without GMT, or a name.
func (p *parser) simpleZone(e element) error {
	rest := p.rest()
	if e.letter == 'X' {
		if strings.HasPrefix(rest, "Z") {
			p.pos++
			p.setOffset(0)
			return nil
		}
		return p.hoursMinutes(2, e.count > 1, e.count == 3)
	}
	if len(rest) >= 3 && strings.EqualFold(rest[:3], "GMT") {
		p.pos += 3
		if rest = rest[3:]; rest == "" || rest[0] != '+' && rest[0] != '-' {
			p.setOffset(0)
			return nil
		}
		return p.hoursMinutes(1, true, true)
	}
	if rest != "" && (rest[0] == '+' || rest[0] == '-') {
		return p.hoursMinutes(2, true, false)
	}
	return p.zoneName()
}

// hoursMinutes reads a sign, hours of at least minHours digits, and minutes.
func (p *parser) hoursMinutes(minHours int, minutes, colon bool) error {
	rest := p.rest()
	if rest == "" || rest[0] != '+' && rest[0] != '-' {
		return p.fail("there should be a zone offset")
	}
	i := 1
	for i < len(rest) && i < 3 && isDigit(rest[i]) {
		i++
	}
	hours, _ := digits(rest[1:i])
	if i-1 < minHours || hours > 23 {
		return p.fail("the hours of the zone offset are wrong")
	}
	seconds := hours * 3600
	if minutes {
		if colon {
			if i >= len(rest) || rest[i] != ':' {
				return p.fail("there should be a colon in the zone offset")
			}
			i++
		}
		m, ok := 0, i+2 <= len(rest)
		if ok {
			m, ok = digits(rest[i : i+2])
		}
		if !ok || m > 59 {
			return p.fail("the minutes of the zone offset are wrong")
		}
		seconds += m * 60
		i += 2
	}
	if rest[0] == '-' {
		seconds = -seconds
	}
	p.pos += i
	p.setOffset(seconds)
	return nil
}

// zoneName reads a short or long zone name; the longest known one wins.
func (p *parser) zoneName() error {
	best, offset := 0, 0
	for _, z := range namedZones {
		for _, word := range []string{z.short, z.long} {
			if len(word) > best && p.matchWord(word) {
				best, offset = len(word), z.offset
			}
		}
	}
	if best == 0 {
		return p.fail("there should be a time zone")
	}
	p.pos += best
	p.setOffset(offset)
	return nil
}

// jodaNames are the zone abbreviations Joda-Time parses. They stand for a region,
// not for an offset: "EST" in July is summer time in New York.
var jodaNames = map[string]string{
	"UTC": "UTC", "GMT": "UTC", "UT": "UTC",
	"EST": "America/New_York", "EDT": "America/New_York", "CST": "America/Chicago", "CDT": "America/Chicago",
	"MST": "America/Denver", "MDT": "America/Denver", "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles",
}

func (p *parser) jodaName() error {
	for n := 3; n >= 2; n-- {
		if len(p.rest()) < n {
			continue
		}
		if id, ok := jodaNames[p.rest()[:n]]; ok {
			loc := loadZone(id)
			if loc == nil {
				return p.fail("the time zone database lacks %s", id)
			}
			p.pos += n
			p.v.zone = loc
			return nil
		}
	}
	return p.fail("there should be a zone abbreviation such as UTC or EST")
}

// maxZoneID is longer than every id of the zone database.
const maxZoneID = 40

// jodaID reads the longest zone id.
func (p *parser) jodaID() error {
	end := 0
	for end < len(p.rest()) && end < maxZoneID && (isLetter(p.rest()[end]) || isDigit(p.rest()[end]) || strings.IndexByte("/_+-", p.rest()[end]) >= 0) {
		end++
	}
	for ; end > 0; end-- {
		if loc := loadZone(p.rest()[:end]); loc != nil {
			p.pos += end
			p.v.zone = loc
			return nil
		}
	}
	return p.fail("there should be a time zone id")
}

// jodaOffset reads Z, ±hh, ±hhmm, ±hhmmss or the same with colons.
func (p *parser) jodaOffset() error {
	rest := p.rest()
	if rest != "" && rest[0]|0x20 == 'z' {
		p.pos++
		p.setOffset(0)
		return nil
	}
	if len(rest) < 3 || rest[0] != '+' && rest[0] != '-' {
		return p.fail("there should be a zone offset")
	}
	hours, ok := digits(rest[1:3])
	if !ok || hours > 23 {
		return p.fail("the hours of the zone offset are wrong")
	}
	seconds, i := hours*3600, 3
	colon := i < len(rest) && rest[i] == ':'
	for unit := 60; unit > 0; unit /= 60 {
		at := i
		if colon {
			if at >= len(rest) || rest[at] != ':' {
				break
			}
			at++
		}
		if !colon && (at >= len(rest) || !isDigit(rest[at])) {
			break
		}
		if at+2 > len(rest) {
			return p.fail("the zone offset is incomplete")
		}
		n, ok := digits(rest[at : at+2])
		if !ok || n > 59 {
			return p.fail("the zone offset is out of range")
		}
		seconds += n * unit
		i = at + 2
	}
	if rest[0] == '-' {
		seconds = -seconds
	}
	p.pos += i
	p.setOffset(seconds)
	return nil
}
