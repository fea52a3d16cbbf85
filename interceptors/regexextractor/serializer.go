package regexextractor

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/charset"
	"github.com/flume-go/flume/internal/javatime"
)

// millis is Flume's name of the serializer that reads dates. The other two names
// stand for the text as it is.
const millis = "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer"

// Serializer says which header a group sets, and how.
type Serializer struct {
	ID      string `flume:",name"`
	Name    string `flume:"name,required" doc:"The header to set."`
	Type    string `flume:"type" default:"DEFAULT" enum:"DEFAULT,org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer,org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer" doc:"How the text becomes the value: DEFAULT or RegexExtractorInterceptorPassThroughSerializer: unchanged; RegexExtractorInterceptorMillisSerializer: a date, as milliseconds since 1970."`
	Pattern string `flume:"pattern" doc:"The form of the date, as a pattern of Joda-Time such as yyyy-MM-dd HH:mm:ss. Required by RegexExtractorInterceptorMillisSerializer. Dates without a zone are in the agent's time zone."`
}

// Check tries the date pattern.
func (s Serializer) Check(r *component.Report) {
	switch {
	case s.Type != millis:
		if s.Pattern != "" {
			r.Warn("pattern", "has no effect with the type "+s.Type, "set type to "+millis+" to read a date, or remove the pattern")
		}
	case s.Pattern == "":
		r.Error("pattern", "is required by this type", "give the form of the date, such as yyyy-MM-dd HH:mm:ss")
	default:
		if _, err := javatime.CompileJoda(s.Pattern); err != nil {
			r.Error("pattern", err.Error(), "correct the pattern; it is read by Joda-Time's rules")
		}
	}
}

// field sets one header.
type field struct {
	header string
	date   *javatime.Format // nil for text as it is
	misfit error            // made once: a text that is no date may come with every event
}

func (s Serializer) field() (field, error) {
	if s.Type != millis {
		return field{header: s.Name}, nil
	}
	date, err := javatime.CompileJoda(s.Pattern)
	return field{
		header: s.Name, date: date,
		misfit: fmt.Errorf("header %s: the text does not fit the date pattern %q", s.Name, s.Pattern),
	}, err
}

// set sets the header of e to what part, a piece of its body, means. On error e
// is unchanged.
func (f *field) set(b *event.Batch, e *event.Event, part []byte) error {
	value := text(b, part)
	if f.date != nil {
		t, err := f.date.Parse(value, time.Local)
		if err != nil {
			return f.misfit // and not err, which quotes the event
		}
		var digits [20]byte
		value = b.String(strconv.AppendInt(digits[:0], t.UnixMilli(), 10))
	}
	b.SetHeader(e, f.header, value)
	return nil
}

// text returns part as the value of a header, which is text: ill-formed UTF-8 is
// replaced as Java's decoder replaces it.
func text(b *event.Batch, part []byte) string {
	if utf8.Valid(part) {
		return b.String(part)
	}
	d := charset.Charset{}.NewDecoder()
	decoded := make([]byte, charset.MaxDecoded(len(part))+charset.MaxDecoded(0))
	n := d.Decode(decoded, part)
	n += d.Finish(decoded[n:])
	return b.String(decoded[:n])
}
