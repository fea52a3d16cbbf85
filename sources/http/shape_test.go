package http

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/event"
)

// alikeTexts are arrays with events that look like one before, and such that nearly do.
var alikeTexts = []string{
	`[{"headers":{"a":"1"},"body":"x"},{"headers":{"a":"2"},"body":"y"},{"headers":{"a":"3"},"body":"z"}]`,
	`[{"body":"x"}, {"body":"y"}, {"body":"z"},  {"body":"w"}]`,
	`[{"body":"x"},{"body":"y"},,{"body":"z"},null,{"body":"z"}]`,
	`[{"body":"x"};{"body":"y"};{"body":"z"}]`,
	`[{"body":"x"},{"body":"y"}/**/,{"body":"z"}/**/,{"body":"w"}]`,
	`[{"body":"x"},{"body":"y"},{"body":"a\"b"},{"body":"\u0041"},{"body":"z"}]`,
	"[{\"body\":\"x\"},{\"body\":\"y\"},{\"body\":\"a\nb\\\nc\\x\"}]",
	`[{"b\u006fdy":"x"},{"b\u006fdy":"y"},{"body":"z"}]`,
	`[{body:'x'},{body:'y'},{body:'"'},{body:'z"}]`,
	`[{"headers":{"a":"1","b":2}},{"headers":{"a":"1","b":2}},{"headers":{"a":"1","b":3}}]`,
	`[{"headers":{"a":"1"},"headers":{"b":"1"}},{"headers":{"a":"1"},"headers":{"b":"1"}},{"headers":{"a":"1"},"headers":{"b":"1"}}]`,
	`[{"body":"1","body":"2"},{"body":"1","body":"2"},{"body":"1","body":"2"}]`,
	`[{"headers":[["a","1"],["b"]]},{"headers":[["a","1"],["b",]]},{"headers":[["a","2"],["b",]]},{"headers":[["a","2"],["b",]]}]`,
	`[{"headers":{"a":"1"},"body":null},{"headers":{"a":"1"},"body":null},{"headers":{"a":"2"},"body":null}]`,
	`[{"other":"x","body":"1"},{"other":"y","body":"2"},{"other":"z","body":"3"}]`,
	`[{"headers":null,"body":""},{"headers":null,"body":""},{"headers":null,"body":"3"}]`,
	"[{\"body\":\"\xff\"},{\"body\":\"b\"},{\"body\":\"\xfe\"},{\"body\":\"ä\"}]",
	"[{\"headers\":{\"\xff\":\"1\"}},{\"headers\":{\"\xff\":\"2\"}},{\"headers\":{\"\xff\":\"3\"}}]",
	`[{"body":"x"},{"body":"y"},{"body":"z"`,
	`[{"body":"x"},{"body":"y"},{"body":"z"}]]`,
}

// TestAlike decodes them in all ways.
func TestAlike(t *testing.T) {
	for _, text := range alikeTexts {
		_, _ = sameOtherwise(t, text, (*decoder).array)
	}
}

// TestShapes looks at what is learned of texts, and at what is not.
func TestShapes(t *testing.T) {
	many := strings.Repeat
	var headers strings.Builder
	for i := range shapeValues + 1 {
		fmt.Fprintf(&headers, `"h%d":"v",`, i)
	}
	tests := []struct {
		name, text string
		lines      bool
		learned    int
		texts      []string // of the shape that is known at last
	}{
		{
			name: "alike", text: "[" + many(`{"headers":{"a":"1"},"body":"x"},`, 3) + `{"headers":{"a":"2"},"body":""}]`,
			learned: 1, texts: []string{`,{"headers":{"a":"`, `"},"body":"`, `"}`},
		},
		{name: "in lines", text: many("{\"body\":\"x\"}\r\n", 4), lines: true, learned: 1, texts: []string{"\r\n{\"body\":\"", `"}`}},
		{
			name: "of two shapes", text: "[" + many(`{"body":"1"},`, 5) + many(`{"headers":{"a":"1"}},`, 4) + `{"headers":{"a":""}}]`,
			learned: 2, texts: []string{`,{"headers":{"a":"`, `"}}`},
		},
		{
			name: "of many shapes", text: "[" + many(`{"body":"1"} ,{"body":"1"}, `, 9) + `{"body":"1"}]`,
			learned: shapeLessons, texts: []string{`, {"body":"`, `"}`},
		},
		{name: "one event", text: `[{"body":"x"}]`},
		{name: "no values", text: "[{},{},{}]"},
		{name: "with escapes", text: `[{"body":"\n"},{"body":"\n"},{"body":"\n"}]`},
		{name: "with a comment between", text: `[{"body":"x"}/**/,{"body":"x"}]`},
		{name: "with more than text", text: "[" + many(`{"headers":{"a":1},"body":"x"},`, 5) + `{}]`},
		{name: "with other members", text: "[" + many(`{"other":"a","body":"x"},`, 5) + `{}]`},
		{name: "with many headers", text: "[" + many(`{"headers":{`+headers.String()+`"last":"v"}},`, 5) + `{}]`},
		{name: "with long texts", text: "[" + many(`{"headers":{"`+many("k", shapeText)+`":"v"}},`, 5) + `{}]`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			how := (*decoder).array
			if test.lines {
				how = (*decoder).eventLines
			}
			d := newDecoder()
			if _, err := decodeWith(d, strings.NewReader(test.text), len(test.text), how); err != nil {
				t.Fatal(err)
			}
			if n := shapeLessons - d.example.lessons; n != test.learned {
				t.Errorf("%d shapes were learned; want %d", n, test.learned)
			}
			var texts []string
			if d.shape.apart != 0 {
				texts = d.shape.texts[:d.shape.values+1]
			}
			if diff := cmp.Diff(test.texts, texts); diff != "" {
				t.Errorf("the last shape is not as wanted (-want +got):\n%s", diff)
			}
		})
	}
}

// TestShapeOfLines keeps the shape of events in lines from being taken for that of an array.
func TestShapeOfLines(t *testing.T) {
	const text = "{\"body\":\"x\"}\n{\"body\":\"y\"}\n{\"body\":\"z\"}"
	d := newDecoder()
	if _, err := decodeWith(d, strings.NewReader(text), 0, (*decoder).eventLines); err != nil {
		t.Fatal(err)
	}
	if _, err := decodeWith(d, strings.NewReader("["+text+"]"), 0, (*decoder).array); err == nil {
		t.Error("an array without commas was decoded")
	}
}

// TestWindows decodes more than one window holds, with words that stand across their ends.
func TestWindows(t *testing.T) {
	var text bytes.Buffer
	var want []string
	text.WriteByte('[')
	for i := 0; text.Len() < 5*firstWindow; i++ {
		if i > 0 {
			text.WriteByte(',')
		}
		body := fmt.Sprintf("%d %s", i, strings.Repeat("b", i*7%3000))
		if i == 40 {
			body = strings.Repeat("long ", firstWindow/2) // more than a window
		}
		fmt.Fprintf(&text, `{"headers":{"n":"%d"},"body":"%s\n"}`, i, body)
		want = append(want, fmt.Sprintf("n=%d %q", i, body+"\n"))
	}
	text.WriteByte(']')
	for _, size := range []int{0, 1, firstWindow, text.Len(), 2 * text.Len()} {
		b := event.NewBatch()
		d := newDecoder()
		a := account{budget: &budget{limit: 1 << 30}}
		d.begin(iotest.HalfReader(bytes.NewReader(text.Bytes())), b, &a, textForm{}, replaceMalformed, int64(size))
		if err := d.array(); err != nil {
			t.Fatal(err)
		}
		d.release()
		var got []string
		for _, e := range b.Events() {
			n, _ := e.Header("n")
			got = append(got, fmt.Sprintf("n=%s %q", n, e.Body))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("size %d: the events differ (-want +got):\n%.500s", size, diff)
		}
		b.Release()
	}
}
