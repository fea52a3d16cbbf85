package javatime

import (
	"fmt"
	"strings"
	"time"
)

// namedZone is a zone abbreviation of Java with its long name and offset.
type namedZone struct {
	short, long string
	offset      int // seconds east of Greenwich
}

// namedZones lists abbreviations in the order in which Java's first match wins.
var namedZones = []namedZone{
	{"UTC", "Coordinated Universal Time", 0}, {"GMT", "Greenwich Mean Time", 0}, {"UT", "Coordinated Universal Time", 0},
	{"EST", "Eastern Standard Time", -5 * 3600}, {"EDT", "Eastern Daylight Time", -4 * 3600},
	{"CST", "Central Standard Time", -6 * 3600}, {"CDT", "Central Daylight Time", -5 * 3600},
	{"MST", "Mountain Standard Time", -7 * 3600}, {"MDT", "Mountain Daylight Time", -6 * 3600},
	{"PST", "Pacific Standard Time", -8 * 3600}, {"PDT", "Pacific Daylight Time", -7 * 3600},
	{"AKST", "Alaska Standard Time", -9 * 3600}, {"AKDT", "Alaska Daylight Time", -8 * 3600},
	{"HST", "Hawaii Standard Time", -10 * 3600},
	{"CET", "Central European Standard Time", 3600}, {"CEST", "Central European Summer Time", 2 * 3600},
	{"EET", "Eastern European Standard Time", 2 * 3600}, {"EEST", "Eastern European Summer Time", 3 * 3600},
	{"WET", "Western European Standard Time", 0}, {"WEST", "Western European Summer Time", 3600},
	{"BST", "British Summer Time", 3600}, {"MSK", "Moscow Standard Time", 3 * 3600},
	{"JST", "Japan Standard Time", 9 * 3600}, {"IST", "India Standard Time", 5*3600 + 1800},
}

// zoneText is the display name of a zone with an abbreviation and offset.
func zoneText(abbreviation string, offset int, long bool) string {
	known := abbreviation != "" && abbreviation[0] != '+' && abbreviation[0] != '-'
	if known && !long {
		return abbreviation
	}
	for _, z := range namedZones {
		if known && z.short == abbreviation && z.offset == offset {
			return z.long
		}
	}
	return "GMT" + string(appendOffset(nil, offset, true, true))
}

// zoneID is what Joda-Time prints for ZZZ.
func zoneID(t time.Time) string {
	if name := t.Location().String(); name != "" && name != "Local" {
		return name
	}
	_, offset := t.Zone()
	return string(appendOffset(nil, offset, true, true))
}

// shortIDs are Java's old three-letter time zone ids.
var shortIDs = map[string]string{
	"ACT": "Australia/Darwin", "AET": "Australia/Sydney", "AGT": "America/Argentina/Buenos_Aires", "ART": "Africa/Cairo",
	"AST": "America/Anchorage", "BET": "America/Sao_Paulo", "BST": "Asia/Dhaka", "CAT": "Africa/Harare",
	"CNT": "America/St_Johns", "CST": "America/Chicago", "CTT": "Asia/Shanghai", "EAT": "Africa/Addis_Ababa",
	"ECT": "Europe/Paris", "IET": "America/Indiana/Indianapolis", "IST": "Asia/Kolkata", "JST": "Asia/Tokyo",
	"MIT": "Pacific/Apia", "NET": "Asia/Yerevan", "NST": "Pacific/Auckland", "PLT": "Asia/Karachi",
	"PNT": "America/Phoenix", "PRT": "America/Puerto_Rico", "PST": "America/Los_Angeles", "SST": "Pacific/Guadalcanal",
	"VST": "Asia/Ho_Chi_Minh",
}

// Location resolves a Java time zone id as TimeZone.getTimeZone does: ids of the
// zone database, Java's three-letter ids, custom ids such as GMT+5 and
// GMT-08:00, and GMT for everything it does not know.
func Location(javaID string) *time.Location {
	if name, ok := shortIDs[javaID]; ok {
		javaID = name
	}
	if loc, ok := customZone(javaID); ok {
		return loc
	}
	if loc := loadZone(javaID); loc != nil {
		return loc
	}
	return gmt
}

var gmt = time.FixedZone("GMT", 0)

// loadZone finds a zone of the database; nil if there is none.
func loadZone(id string) *time.Location {
	if id == "" || id == "Local" || strings.HasPrefix(id, ".") || strings.Contains(id, "//") {
		return nil
	}
	loc, err := time.LoadLocation(id)
	if err != nil {
		return nil
	}
	return loc
}

// customZone parses GMT followed by a sign and h, hh, hmm, hhmm, h:mm or hh:mm.
func customZone(id string) (*time.Location, bool) {
	rest, ok := strings.CutPrefix(id, "GMT")
	if !ok || len(rest) < 2 || rest[0] != '+' && rest[0] != '-' {
		return nil, false
	}
	hours, minutes, colon := strings.Cut(rest[1:], ":")
	if !colon && len(hours) > 2 {
		hours, minutes = hours[:len(hours)-2], hours[len(hours)-2:]
		colon = true
	}
	h, okH := digits(hours)
	m, okM := digits(minutes)
	if !okH || len(hours) > 2 || h > 23 || colon && (!okM || len(minutes) != 2 || m > 59) {
		return nil, false
	}
	offset := (h*60 + m) * 60
	if rest[0] == '-' {
		offset = -offset
	}
	if offset == 0 {
		return gmt, true
	}
	return time.FixedZone(fmt.Sprintf("GMT%c%02d:%02d", rest[0], h, m), offset), true
}

func digits(s string) (int, bool) {
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' || i > 8 {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, s != ""
}
