package javatime

import "time"

// resolveSimple turns fields into a time as a lenient GregorianCalendar does.
func (p *parser) resolveSimple() (time.Time, error) {
	v := &p.v
	hour := v.get('H', 0)
	if twelve := max(v.stamp['K'], v.stamp['a']); twelve > v.stamp['H'] && (v.has('K') && v.has('a') || !v.has('H')) {
		hour = v.get('K', 0) + 12*v.get('a', 0)
	}
	at, _ := inZone(p.withTime(p.simpleDate(), hour), p.zoneOrDefault(), false)
	if century := p.f.now().AddDate(-80, 0, 0); v.short != 0 && at.Before(century) {
		v.value[v.short] += 100
		at, _ = inZone(p.withTime(p.simpleDate(), hour), p.zoneOrDefault(), false)
	}
	return at, nil
}

// simpleDate is the date the fields name, in UTC. Of day of month, day of year
// and week with weekday the one set last counts.
func (p *parser) simpleDate() time.Time {
	v := &p.v
	year := v.get('y', 1970)
	if v.get('G', 0) == 1 {
		year = 1 - year
	}
	week := 0
	if v.has('w') && v.has('E') {
		week = max(v.stamp['w'], v.stamp['E'])
	}
	best := max(v.stamp['d'], v.stamp['D'], week)
	if best == 0 && v.has('w') && v.stamp['w'] >= v.stamp['E'] {
		best = 1
	}
	switch {
	case best == 0 && v.has('E'): // the first such weekday of the month
		first := date(year, v.get('M', 1), 1)
		return first.AddDate(0, 0, (v.value['E']%7-int(first.Weekday())+7)%7)
	case best == 0 || best == v.stamp['d']:
		return date(year, v.get('M', 1), v.get('d', 1))
	case best == v.stamp['D']:
		return date(year, 1, v.value['D'])
	}
	if v.stamp['Y'] > v.stamp['y'] {
		year = v.value['Y']
	}
	first := date(year, 1, 1)
	sunday := first.AddDate(0, 0, -int(first.Weekday()))
	return sunday.AddDate(0, 0, 7*(v.value['w']-1)+v.get('E', 7)%7)
}

func date(year, month, day int) time.Time {
	return time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
}

// withTime adds the time of day, which may exceed a day, to a date.
func (p *parser) withTime(t time.Time, hour int) time.Time {
	v := &p.v
	return time.Date(t.Year(), t.Month(), t.Day(), hour, v.get('m', 0), v.get('s', 0), 0, time.UTC).
		Add(time.Duration(v.get('S', 0)) * time.Millisecond)
}

func (p *parser) zoneOrDefault() *time.Location {
	if p.v.zone != nil {
		return p.v.zone
	}
	return p.loc
}

// inZone reads the clock of wall, a time in UTC, as a time in loc. Where clocks
// were set back and a time occurs twice, early picks the first. Where they were
// set forward and a time does not occur, it is taken by the clock before, and the
// result is false.
func inZone(wall time.Time, loc *time.Location, early bool) (time.Time, bool) {
	offsetAt := func(t time.Time) time.Duration {
		_, seconds := t.In(loc).Zone()
		return time.Duration(seconds) * time.Second
	}
	before, after := offsetAt(wall.Add(-24*time.Hour)), offsetAt(wall.Add(24*time.Hour))
	first, second := wall.Add(-before), wall.Add(-after)
	okFirst, okSecond := offsetAt(first) == before, offsetAt(second) == after
	if okSecond && (!okFirst || !early) {
		return second.In(loc), true
	}
	return first.In(loc), okFirst
}

// jodaRanges are the values Joda-Time accepts.
var jodaRanges = []struct {
	key      byte
	min, max int
}{
	{'M', 1, 12}, {'d', 1, 31}, {'D', 1, 366}, {'w', 1, 53}, {'E', 1, 7},
	{'H', 0, 23}, {'K', 0, 11}, {'m', 0, 59}, {'s', 0, 59},
	{'y', -292275054, 292278993}, {'x', -292275054, 292278993}, {'Y', 1, 292278993}, {'C', 0, 2922789},
}

func (p *parser) resolveJoda() (time.Time, error) {
	v := &p.v
	for _, r := range jodaRanges {
		if n := v.get(r.key, r.min); n < r.min || n > r.max {
			return time.Time{}, p.fail("the value %d is out of range for %c", n, r.key)
		}
	}
	t, err := p.jodaDate()
	if err != nil {
		return time.Time{}, err
	}
	hour := v.get('H', 0)
	if v.has('K') {
		hour = v.value['K'] + hour/12*12
	}
	if v.has('a') {
		hour = hour%12 + 12*v.value['a']
	}
	at, ok := inZone(p.withTime(t, hour), p.zoneOrDefault(), true)
	if !ok {
		return time.Time{}, p.fail("the clock skips this time in the zone %s", p.zoneOrDefault())
	}
	return at, nil
}

// jodaDate sets the fields on 1 January 1970 from the largest to the smallest,
// first clearing what is below each, then, like Joda-Time, once more without:
// a weekday can have moved the date into another year. A date without any kind
// of year is in 2000.
func (p *parser) jodaDate() (time.Time, error) {
	t, err := p.setDate(date(1970, 1, 1), true)
	if err != nil {
		return t, err
	}
	return p.setDate(t, false)
}

// jodaYear is the year to set; false if there is none.
func (v *fields) jodaYear() (int, bool) {
	year, ok := v.get('y', 1970), true
	switch {
	case v.has('Y'):
		year = v.value['Y']
	case v.has('y'):
	case v.has('C'):
		year = v.value['C'] * 100
	case v.has('x') || v.has('G'):
		ok = v.has('G')
	case v.has('M') || v.has('d') || v.has('D') || v.has('w') || v.has('E'):
		year = 2000
	default:
		ok = false
	}
	if v.get('G', 0) == 1 && year > 0 {
		year = 1 - year
	}
	return year, ok
}

// hasAny reports whether one of the fields was set.
func (v *fields) hasAny(keys string) bool {
	for i := range len(keys) {
		if v.has(keys[i]) {
			return true
		}
	}
	return false
}

// setDate sets the date fields on t. With reset, each clears the smaller ones;
// the smallest field of all always does.
func (p *parser) setDate(t time.Time, reset bool) (time.Time, error) {
	v := &p.v
	if year, ok := v.jodaYear(); ok {
		month := int(t.Month())
		if reset {
			month = 1
		}
		t = setMonth(year, month, t.Day(), reset)
	}
	if v.has('x') || v.has('w') {
		year, week := t.ISOWeek()
		if year = v.get('x', year); reset && v.has('x') {
			week = 1
		}
		week = v.get('w', week)
		t = isoDate(year, week, (int(t.Weekday())+6)%7, reset || !v.hasAny("MDdEHKamsS"))
		if _, got := t.ISOWeek(); got != week {
			return t, p.fail("the year has no week %d", week)
		}
	}
	if v.has('M') {
		t = setMonth(t.Year(), v.value['M'], t.Day(), reset)
	}
	if v.has('D') {
		if t = date(t.Year(), 1, v.value['D']); t.YearDay() != v.value['D'] {
			return t, p.fail("the year has no day %d", v.value['D'])
		}
	}
	if v.has('d') {
		month := t.Month()
		if t = date(t.Year(), int(month), v.value['d']); t.Month() != month {
			return t, p.fail("%s has no day %d", month, v.value['d'])
		}
	}
	if v.has('E') {
		t = t.AddDate(0, 0, v.value['E']-(int(t.Weekday())+6)%7-1)
	}
	return t, nil
}

// setMonth keeps the day of the month as far as the month has it, or takes the
// first with reset.
func setMonth(year, month, day int, reset bool) time.Time {
	if reset {
		return date(year, month, 1)
	}
	last := date(year, month+1, 0).Day()
	return date(year, month, min(day, last))
}

// isoDate is a day of a week by ISO 8601; with reset its Monday.
func isoDate(year, week, weekday int, reset bool) time.Time {
	fourth := date(year, 1, 4) // always in week 1
	monday := fourth.AddDate(0, 0, 7*(week-1)-(int(fourth.Weekday())+6)%7)
	if reset {
		return monday
	}
	return monday.AddDate(0, 0, weekday)
}
