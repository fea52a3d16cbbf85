// Package reference renders what the registry knows about components: the
// property tables in their README files, the pages of docs/reference and the
// JSON Schema of all types.
//
// Everything here is a function of its arguments; the same registry gives the
// same bytes.
package reference

import (
	"errors"
	"fmt"
	"strings"

	"github.com/flume-go/flume/component"
)

// The lines of a README between which the property tables stand.
const (
	Begin = "<!-- properties -->"
	End   = "<!-- /properties -->"
)

// ErrNoMarks says that a README has no place for the property tables.
var ErrNoMarks = errors.New("it needs the lines " + Begin + " and " + End + ", in this order, once each")

// Fill returns readme with the tables of entries, which one folder registers,
// between its marks.
func Fill(readme string, entries []*component.Entry) (string, error) {
	lines := strings.Split(readme, "\n")
	begin, end := -1, -1
	for i, l := range lines {
		switch strings.TrimSpace(l) {
		case Begin:
			if begin >= 0 {
				return "", ErrNoMarks
			}
			begin = i
		case End:
			if end >= 0 {
				return "", ErrNoMarks
			}
			end = i
		}
	}
	if begin < 0 || end < begin {
		return "", ErrNoMarks
	}
	out := append([]string(nil), lines[:begin+1]...)
	out = append(out, strings.Split(strings.TrimRight(Tables(entries), "\n"), "\n")...)
	return strings.Join(append(out, lines[end:]...), "\n"), nil
}

// Tables returns the property tables of types of one folder, in Markdown. Links
// are relative to a folder two levels below the root.
func Tables(entries []*component.Entry) string {
	var b strings.Builder
	for i, e := range entries {
		if i > 0 {
			b.WriteString("\n")
		}
		if len(entries) > 1 {
			fmt.Fprintf(&b, "**`%s`**\n\n", e.Info.Type)
		}
		b.WriteString(place(e.Kind))
		b.WriteString("\n\n")
		b.WriteString(table(e.Schema))
	}
	return b.String()
}

// place says where a component's keys stand and which others there are.
func place(k component.Kind) string {
	c := commonOf(k)
	return fmt.Sprintf("Keys stand below `%s`; see also [what all %s have](../../docs/reference/common.md#%s).", c.prefix, c.heading, c.anchor())
}

func table(s *component.Schema) string {
	fields := s.Flat()
	if len(fields) == 0 {
		return "There are no properties of its own.\n"
	}
	var b strings.Builder
	b.WriteString("| Property | Default | Meaning |\n|---|---|---|\n")
	for i := range fields {
		f := &fields[i]
		fmt.Fprintf(&b, "| %s | %s | %s |\n", code(f.Key), byDefault(f), cell(meaning(f)))
	}
	return b.String()
}

func byDefault(f *component.Field) string {
	switch {
	case f.Required:
		return "*required*"
	case !f.HasDefault || f.Default == "":
		return "–"
	case f.Unit != "" && f.Kind != component.FieldString:
		return code(f.Default) + " " + f.Unit
	default:
		return code(f.Default)
	}
}

// meaning is a field's documentation with what its other tags say.
func meaning(f *component.Field) string {
	parts := []string{plain(f.Doc)}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if f.Kind == component.FieldComponent {
		add("Any [%s](../../docs/reference/README.md#%s).", f.Refers, commonOf(f.Refers).anchor())
	}
	if len(f.Enum) > 0 {
		add("One of %s.", codes(f.Enum))
	}
	if f.Unit != "" && (!f.HasDefault || f.Default == "") {
		add("In %s.", unit(f.Unit))
	}
	switch {
	case f.Min != nil && f.Max != nil:
		add("From %d to %d.", *f.Min, *f.Max)
	case f.Min != nil:
		add("At least %d.", *f.Min)
	case f.Max != nil:
		add("At most %d.", *f.Max)
	}
	if f.Lenient {
		add("A value that cannot be read counts as the default.")
	}
	if len(f.Aliases) > 0 {
		add("Also written %s.", codes(f.Aliases))
	}
	if f.Secret {
		add("Never shown or logged.")
	}
	if f.Deprecated != "" {
		add("Deprecated: %s.", strings.TrimSuffix(plain(f.Deprecated), "."))
	}
	return strings.Join(parts, " ")
}

func unit(u string) string {
	switch u {
	case "ms":
		return "milliseconds"
	case "s":
		return "seconds"
	default:
		return u
	}
}

func codes(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = code(n)
	}
	return strings.Join(out, ", ")
}

// code sets s as code.
func code(s string) string {
	mark := "`"
	if strings.Contains(s, "`") {
		mark = "``"
	}
	return mark + cell(s) + mark
}

// plain keeps Markdown from taking "<name>" for HTML and "key.*" for emphasis.
func plain(s string) string {
	return strings.NewReplacer("<", `\<`, "*", `\*`).Replace(s)
}

// cell escapes what would end a cell of a table.
func cell(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, `\|`, "|"), "|", `\|`)
}
