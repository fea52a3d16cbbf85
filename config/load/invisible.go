package load

import (
	"fmt"
	"strings"

	"github.com/flume-go/flume/property"
)

// invisible are characters that look like a blank, or like nothing, and are none
// for a properties file: web pages, word processors and joined files leave them.
var invisible = map[rune]string{
	'\u00a0': "no-break space", '\u2007': "figure space", '\u202f': "narrow no-break space", '\u3000': "ideographic space",
	'\u200b': "zero-width space", '\u200c': "zero-width non-joiner", '\u200d': "zero-width joiner", '\u2060': "word joiner",
	'\ufeff': "byte order mark",
}

// reportInvisible warns of such characters in a key, and at the ends of a value:
// in the middle of one they may be meant.
func (m *merger) reportInvisible(e property.Entry) {
	isInvisible := func(r rune) bool { return invisible[r] != "" }
	at, text := e.Value.Key, e.Key
	if !strings.ContainsFunc(text, isInvisible) {
		inner := strings.TrimFunc(e.Value.Text, isInvisible)
		if inner == e.Value.Text {
			return
		}
		at, text = e.Value.At, strings.Replace(e.Value.Text, inner, "", 1)
	}
	r := []rune(text[strings.IndexFunc(text, isInvisible):])[0]
	m.problems = append(m.problems, property.Problem{
		Severity: property.Warning,
		At:       at,
		Key:      e.Key,
		What:     fmt.Sprintf("has a character that is not seen, U+%04X (%s), which does not count as a blank", r, invisible[r]),
		Remedy:   "delete it, or type a blank in its place",
	})
}
