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
	return decodeWith(newDecoder(), src, 0, how)
}

// decodeWith does that with a decoder that may have decoded others. size is what begin is told.
func decodeWith(d *decoder, src io.Reader, size int, how func(*decoder) error) ([]string, error) {
	b := event.NewBatch()
	defer b.Release()
	a := account{budget: &budget{limit: 1 << 30}}
	d.begin(src, b, &a, textForm{}, replaceMalformed, int64(size))
	defer d.release()
	if err := how(d); err != nil {
		return nil, err
	}
	var out []string
	for i := range b.Len() {
		out = append(out, shown(b.At(i)))
	}
	return out, nil
}

// sameOtherwise decodes text in other ways, of which none may make a difference: cut into bytes, in memory of the batch, of
// which there is enough or not, and by a decoder that knows the shape of the events already.
func sameOtherwise(t *testing.T, text string, how func(*decoder) error) ([]string, error) {
	t.Helper()
	got, err := decodeAll(strings.NewReader(text), how)
	d := newDecoder()
	for _, way := range []struct {
		name string
		src  io.Reader
		size int
	}{
		{"byte by byte", iotest.OneByteReader(strings.NewReader(text)), 0},
		{"by a decoder that has decoded it", strings.NewReader(text), 0},
		{"in memory of the batch", strings.NewReader(text), len(text)},
		{"in too little memory of the batch", strings.NewReader(text), 1},
		{"byte by byte in memory of the batch", iotest.OneByteReader(strings.NewReader(text)), len(text)},
	} {
		other, again := decodeWith(d, way.src, way.size, how)
		if diff := cmp.Diff(got, other); diff != "" || (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
			t.Fatalf("%q is %v (%v) %s, and %v (%v) in one piece", text, other, again, way.name, got, err)
		}
	}
	return got, err
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
	for _, text := range alikeTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := sameOtherwise(t, string(text), (*decoder).array)
		var syntax *syntaxError
		if err != nil && !errors.As(err, &syntax) && !badEvents(err) {
			t.Fatalf("an error of another kind: %v", err)
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
	f.Add([]byte("{\"body\":\"a\"}\n{\"body\":\"b\"}\r\n\n{\"body\":\"c\"}\r\n\n{\"body\":\"d\"} {\"body\":\"e\"}"), false)
	f.Fuzz(func(t *testing.T, text []byte, bodies bool) {
		how := (*decoder).eventLines
		if bodies {
			how = (*decoder).bodyLines
		}
		_, _ = sameOtherwise(t, string(text), how)
	})
}
