package http

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// decodeAll decodes text, which comes in pieces as src gives them.
func decodeAll(src io.Reader, how func(*decoder) error) ([]string, error) {
	d := newDecoder()
	b := event.NewBatch()
	defer b.Release()
	a := account{budget: &budget{limit: 1 << 30}}
	d.begin(src, b, &a, textForm{}, replaceMalformed)
	if err := how(d); err != nil {
		return nil, err
	}
	var out []string
	for i := range b.Len() {
		out = append(out, shown(b.At(i)))
	}
	return out, nil
}

// byLibrary decodes text that is strict JSON of the shape that events have; ok
// says that it is, and that both decoders must agree about it.
func byLibrary(text []byte) (events []string, ok bool) {
	var raw []map[string]json.RawMessage
	if !utf8.Valid(text) || json.Unmarshal(text, &raw) != nil || raw == nil || strings.Contains(string(text), `\ud`) || strings.Contains(string(text), `\uD`) {
		return nil, false // half surrogates become other characters
	}
	for _, members := range raw {
		if members == nil {
			return nil, false
		}
		b := event.NewBatch()
		e := b.Append(nil)
		body, fine := plainText(members["body"])
		b.SetBody(e, []byte(body))
		var headers map[string]json.RawMessage
		if h := members["headers"]; h != nil && json.Unmarshal(h, &headers) != nil {
			fine = false
		}
		for key, value := range headers {
			v, good := plainText(value)
			fine = fine && good
			if string(value) != "null" {
				b.SetHeader(e, key, v)
			}
		}
		events = append(events, shown(e))
		b.Release()
		if !fine {
			return nil, false
		}
	}
	return events, true
}

// plainText returns what a scalar stands for.
func plainText(value json.RawMessage) (string, bool) {
	switch {
	case value == nil, string(value) == "null":
		return "", true
	case value[0] == '"':
		var s string
		return s, json.Unmarshal(value, &s) == nil
	case value[0] == '{', value[0] == '[':
		return "", false
	}
	return string(value), true
}

// twice reports whether text may hold a name twice, of which the decoders make
// different things.
func twice(text []byte) bool {
	d := json.NewDecoder(strings.NewReader(string(text)))
	var names []map[string]bool
	for isName := false; ; {
		token, err := d.Token()
		if err != nil {
			return false
		}
		switch v := token.(type) {
		case json.Delim:
			if v == '{' || v == '[' {
				names = append(names, map[string]bool{})
			} else {
				names = names[:len(names)-1]
			}
		case string:
			// Names and values alike: who repeats either is left out.
			if top := names[max(len(names)-1, 0):]; len(top) > 0 {
				isName = top[0][v]
				top[0][v] = true
			}
		}
		if isName {
			return true
		}
	}
}

func FuzzEvents(f *testing.F) {
	for _, v := range flumeVectors {
		if len(v.content) < 200 {
			f.Add([]byte(v.content))
		}
	}
	f.Add([]byte(`[{"headers":{"a":"b","n":1.5e3},"body":"x\"y\\z\u00e9\n"},{"other":[{"a":[1,2,{}]},"\\"],"body":true}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := decodeAll(strings.NewReader(string(text)), (*decoder).array)
		var syntax *syntaxError
		if err != nil && !errors.As(err, &syntax) && !badEvents(err) {
			t.Fatalf("an error of another kind: %v", err)
		}
		// Where the text is cut makes no difference.
		piecemeal, again := decodeAll(iotest.OneByteReader(strings.NewReader(string(text))), (*decoder).array)
		if diff := cmp.Diff(got, piecemeal); diff != "" || (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("byte by byte it is %v (%v), in one piece %v (%v)", piecemeal, again, got, err)
		}
		want, ok := byLibrary(text)
		if !ok || twice(text) {
			return
		}
		if err != nil {
			t.Fatalf("%q is refused: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("encoding/json reads %q otherwise (-library +ours):\n%s", text, diff)
		}
	})
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"body\":\"a\"}\n{\"headers\":{\"k\":1}}\n"), false)
	f.Add([]byte("{\"a\":1}\r\n\n[1]\nnull"), true)
	f.Fuzz(func(t *testing.T, text []byte, bodies bool) {
		how := (*decoder).eventLines
		if bodies {
			how = (*decoder).bodyLines
		}
		got, err := decodeAll(strings.NewReader(string(text)), how)
		piecemeal, again := decodeAll(iotest.OneByteReader(strings.NewReader(string(text))), how)
		if diff := cmp.Diff(got, piecemeal); diff != "" || (err == nil) != (again == nil) {
			t.Fatalf("byte by byte it is %v (%v), in one piece %v (%v)", piecemeal, again, got, err)
		}
	})
}
