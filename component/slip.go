package component

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// Slip recognises in a value that is wrong what other formats of configuration
// allow (a comment behind the value, quotes around it, a comma or semicolon at its
// end), and a line that was joined to the next. good reports whether a text would be right. Slip returns what to do, "" if
// text is none of these.
func Slip(text string, good func(string) bool) string {
	text = strings.TrimSpace(text)
	if value, comment, ok := cutComment(text); ok && good(value) {
		return ownLine(comment)
	}
	if value, ok := cutQuotes(text); ok && value != "" && good(value) {
		return "leave out the quotes, which belong to the value"
	}
	if value, line, ok := cutNextLine(text); ok && good(value) {
		return noBackslash(line)
	}
	if value := strings.TrimRight(text, ",;"); value != "" && value != text && good(value) {
		return fmt.Sprintf("leave out %q, which belongs to the value", text[len(value):])
	}
	return ""
}

// ownLine says what to do about a comment behind a value.
func ownLine(comment string) string {
	return fmt.Sprintf("%q belongs to the value: a comment needs a line of its own", comment)
}

// commentMarks begin comments in one format or another. In properties files those
// of one character do, and only as the first of a line.
var commentMarks = []string{"#", "!", "//", ";"}

func isComment(word string) bool {
	for _, mark := range commentMarks {
		if strings.HasPrefix(word, mark) {
			return true
		}
	}
	return false
}

// cutComment parts text before the first word that looks like a comment.
func cutComment(text string) (value, comment string, ok bool) {
	for i := 1; i < len(text); i++ {
		if isBlank(text[i-1]) && isComment(text[i:]) {
			value = strings.TrimSpace(text[:i])
			return value, text[i:], value != ""
		}
	}
	return "", "", false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// cutNextLine parts text before what looks like a property, "key.of.it = value": a
// line that ends in a backslash goes on with the next.
func cutNextLine(text string) (value, line string, ok bool) {
	before, _, found := strings.Cut(text, "=")
	before = strings.TrimSpace(before)
	i := strings.LastIndexAny(before, " \t")
	if !found || i < 0 || !strings.Contains(before[i:], ".") {
		return "", "", false
	}
	start := strings.Index(text, before) + i
	value = strings.TrimSpace(text[:start])
	return value, strings.TrimSpace(text[start:]), value != ""
}

// noBackslash says what to do about a line that was joined to the next.
func noBackslash(line string) string {
	return fmt.Sprintf("%q, most likely the next line, belongs to the value: remove the backslash that joins them", line)
}

// cutQuotes removes quotes, typographic ones too, from around text.
func cutQuotes(text string) (inner string, ok bool) {
	for _, q := range [][2]string{{`"`, `"`}, {"'", "'"}, {"“", "”"}, {"‘", "’"}} {
		if rest, opened := strings.CutPrefix(text, q[0]); opened {
			inner, ok = strings.CutSuffix(rest, q[1])
			return strings.TrimSpace(inner), ok
		}
	}
	return "", false
}

var (
	groupedDigits = regexp.MustCompile(`^[+-]?\d{1,3}([,_' ]\d{3})+$`)
	digitsAndUnit = regexp.MustCompile(`^([+-]?\d+) ?([A-Za-zµ%]+)$`)
)

// slip is Slip for the values of f, of which it knows the units of numbers, too.
func (f *Field) slip(text string, t reflect.Type) string {
	good := func(text string) bool {
		if f.Kind == FieldBool {
			return strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
		}
		return f.parse(text, reflect.New(t).Elem()) == nil
	}
	if remedy := Slip(text, good); remedy != "" {
		return remedy
	}
	text = strings.TrimSpace(text)
	if !f.numeric() {
		return ""
	}
	if groupedDigits.MatchString(text) {
		if digits := strings.NewReplacer(",", "", "_", "", "'", "", " ", "").Replace(text); good(digits) {
			return "write " + digits
		}
	}
	if m := digitsAndUnit.FindStringSubmatch(text); m != nil && good(m[1]) {
		remedy := fmt.Sprintf("give the number alone, without %q", m[2])
		if unit := f.unitName(); unit != "" {
			remedy += ": it counts " + unit
		}
		return remedy
	}
	return ""
}

func (f *Field) numeric() bool {
	return f.Kind == FieldInt || f.Kind == FieldFloat || f.Kind == FieldDuration
}

// unitName spells the unit of a number out.
func (f *Field) unitName() string {
	switch f.Unit {
	case "ms":
		return "milliseconds"
	case "s":
		return "seconds"
	}
	return f.Unit
}

// remark finds in free text, where everything is allowed, what was hardly meant
// to belong to it.
func (f *Field) remark(text string) string {
	if f.Secret || len(f.Enum) > 0 || f.Kind != FieldString && f.Kind != FieldList {
		return ""
	}
	_, comment, ok := cutComment(strings.TrimSpace(text))
	if ok && (comment == "#" || strings.HasPrefix(comment, "# ") || strings.HasPrefix(comment, "#\t")) {
		return fmt.Sprintf("%q belongs to the value", comment)
	}
	return ""
}

// Names splits a list of names at white space. Of a list in which there is more
// than names (a comment behind it, commas, quotes) it returns the names that were
// meant, and says what is wrong and what to do. known reports whether something
// has this very name: then it is a name, whatever signs are in it.
func Names(text string, known func(string) bool) (names []string, what, remedy string) {
	if value, line, ok := cutNextLine(text); ok {
		if names, what, remedy = Names(value, known); what == "" {
			what = fmt.Sprintf("%q belongs to the value", line)
			remedy = "if it is the next line, remove the backslash that joins them"
		}
		return names, what, remedy
	}
	words := strings.Fields(text)
	for i, word := range words {
		if known(word) {
			names = append(names, word)
			continue
		}
		if isComment(word) {
			return names, fmt.Sprintf("%q belongs to the value", strings.Join(words[i:], " ")), "a comment needs a line of its own"
		}
		if !strings.ContainsAny(word, nameless) {
			names = append(names, word)
			continue
		}
		what, remedy = fmt.Sprintf("%q is no name", word), "write names without commas and quotes, and white space between them"
		names = append(names, strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(nameless, r) })...)
	}
	return names, what, remedy
}

// nameless are the signs that other formats have between or around names.
const nameless = ",;\"'[]“”‘’"
