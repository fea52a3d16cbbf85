package http

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// flumeVectors is what Apache Flume 1.11 answers to these contents as JSON, and
// what its file sink with the serializer HEADER_AND_TEXT wrote of them; where this
// source differs on purpose, what it does, and why.
var flumeVectors = []struct {
	content string
	status  int
	events  string
}{
	{`[]`, 200, ``},
	{`[{}]`, 200, "{} "},
	{``, 500, ``},
	{`   `, 500, ``},
	{`null`, 500, ``},
	{`null x`, 500, ``},
	{`nullx`, 400, ``},
	{`NULL`, 500, ``},
	{`[null]`, 500, ``},
	{`[{},]`, 500, ``},
	{`[,]`, 500, ``},
	{`[,{}]`, 500, ``},
	{`[null, garbage`, 400, ``},
	{`{}`, 400, ``},
	{`[{}`, 400, ``},
	{`[{}] x`, 400, ``},
	{`[{}] // c`, 400, ``},
	{"[{}]\n", 200, "{} "},
	{`[{}],`, 400, ``},
	{`[{}]null`, 400, ``},
	{`[{}] {}`, 400, ``},
	{`[1]`, 400, ``},
	{`["a"]`, 400, ``},
	{`[[]]`, 400, ``},
	{`[a]`, 400, ``},
	{`[tRue]`, 400, ``},
	{`garbage`, 400, ``},
	{`"x"`, 400, ``},
	{`]`, 400, ``},
	{`,`, 400, ``},

	{`[{"body":"a"}]`, 200, "{} a"},
	{`[{"body":1}]`, 200, "{} 1"},
	{`[{"body":-0}]`, 200, "{} -0"},
	{`[{"body":1e400}]`, 200, "{} 1e400"},
	{`[{"body":007}]`, 200, "{} 007"},
	{`[{"body":1.}]`, 200, "{} 1."},
	{`[{"body":+1}]`, 200, "{} +1"},
	{`[{"body":.5}]`, 200, "{} .5"},
	{`[{"body":TrUe}]`, 200, "{} true"},
	{`[{"body":false}]`, 200, "{} false"},
	{`[{"body":truex}]`, 200, "{} truex"},
	{`[{"body":null}]`, 200, "{} "},
	{`[{"body":nUlL}]`, 200, "{} "},
	{`[{"body":NaN}]`, 200, "{} NaN"},
	{`[{"body":12345678901234567890123}]`, 200, "{} 12345678901234567890123"},
	{`[{"body":` + strings.Repeat("1", 3000) + `}]`, 200, "{} " + strings.Repeat("1", 3000)},
	{`[{"body":{}}]`, 400, ``},
	{`[{"body":[]}]`, 400, ``},
	{`[{"body":}]`, 400, ``},
	{`[{"Body":"x"}]`, 200, "{} "},
	{`[{"body":"1","body":"2"}]`, 200, "{} 2"},
	{`[{"body":"1","body":null}]`, 200, "{} "},

	{`[{body:'a"b'}]`, 200, `{} a"b`},
	{`[{body:a b}]`, 400, ``},
	{`[{body:a"b}]`, 200, `{} a"b`},
	{`[{body=a}]`, 200, "{} a"},
	{`[{body=>a}]`, 200, "{} a"},
	{`[{body= >a}]`, 200, "{} >a"},
	{`[{body:a;headers:{x:1}}]`, 200, "{x=1} a"},
	{`[{body:a;}]`, 400, ``},
	{`[{"body":"a",}]`, 400, ``},
	{`[{,"body":"a"}]`, 400, ``},
	{`[{"body":"a"};{"body":"b"}]`, 200, "{} a\n{} b"},
	{`/* c */[{"body":/*x*/"a"}]`, 200, "{} a"},
	{"# c\n[{\"body\":\"a\"//y\n}]", 200, "{} a"},
	{`/* c [{}]`, 400, ``},
	{"[{\"body\":a/b}]", 400, ``},
	{"[{\"body\":a//b\n}]", 200, "{} a"},
	{"[{\"body\":a#b\n}]", 200, "{} a"},
	{"[{\"body\":/}]", 400, ``},
	{"[{\"body\":a\fb}]", 400, ``},
	{"[{\"body\":\x00}]", 200, "{} \x00"},
	{"\uFEFF[{\"body\":\"a\"}]", 200, "{} a"},
	{" \uFEFF[{\"body\":\"a\"}]", 400, ``},
	{")]}'\n[{\"body\":\"a\"}]", 200, "{} a"},
	{"  )]}'\n[{\"body\":\"a\"}]", 200, "{} a"},
	{")]}'[{\"body\":\"a\"}]", 400, ``},
	{")]}'\n", 500, ``},
	{`[{"body" : "a" , "headers" : { "k" : "v" } } ]`, 200, "{k=v} a"},

	{`[{"body":"\u0041\t\b\f\/\'\"\\"}]`, 200, "{} A\t\b\f/'\"\\"},
	{`[{"body":"\x"}]`, 400, ``},
	{`[{"body":"\u00zz"}]`, 400, ``}, // Flume: 500, which says that the server is at fault
	{`[{"body":"\u00`, 400, ``},
	{"[{\"body\":\"\\\nz\"}]", 200, "{} \nz"},
	{"[{\"body\":\"a\nb\"}]", 200, "{} a\nb"},
	{`[{"body":"\ud83d\ude00"}]`, 200, "{} 😀"},
	{`[{"body":"\ud83dx"}]`, 200, "{} ?x"},
	{`[{"headers":{"k":"\ud83d"},"body":"h"}]`, 200, "{k=?} h"},
	{`[{"body":"é"}]`, 200, "{} é"},
	{"[{\"body\":\"a\xe2\x82z\"}]", 200, "{} a\uFFFDz"},
	{"[{\"body\":\"\xff\xfe\"}]", 200, "{} \uFFFD\uFFFD"},
	{"[{\"body\":\"a\x00b\"}]", 200, "{} a\x00b"},

	{`[{"headers":null,"body":"n"}]`, 200, "{} n"},
	{`[{"headers":{},"body":"n"}]`, 200, "{} n"},
	{`[{"headers":{"a":"1","b":2,"c":true,"d":1.50},"body":"n"}]`, 200, "{a=1, b=2, c=true, d=1.50} n"},
	{`[{"headers":{"a":null},"body":"n"}]`, 200, "{} n"}, // Flume: a header that is null, which most of it fails on
	{`[{"headers":{"a":null,"a":"x"},"body":"n"}]`, 200, "{a=x} n"},
	{`[{"headers":{"a":"x","a":null},"body":"n"}]`, 400, ``},
	{`[{"headers":{"a":"x","a":"y"}}]`, 400, ``},
	{`[{"headers":{"a":{}}}]`, 400, ``},
	{`[{"headers":{"a":[]}}]`, 400, ``},
	{`[{"headers":{"a":,}}]`, 400, ``},
	{`[{"headers":"x"}]`, 400, ``},
	{`[{"headers":[["a","b"],["c",1]],"body":"n"}]`, 200, "{a=b, c=1} n"},
	{`[{"headers":[["a"]],"body":"n"}]`, 400, ``},
	{`[{"headers":[["a",]],"body":"n"}]`, 200, "{} n"}, // null, as above
	{`[{"headers":[["a","b",]],"body":"n"}]`, 400, ``},
	{`[{"headers":[["a","b","c"]],"body":"n"}]`, 400, ``},
	{`[{"headers":[null],"body":"n"}]`, 400, ``},
	{`[{"headers":[],"body":"n"}]`, 200, "{} n"},
	{`[{"headers":[[null,"v"]],"body":"n"}]`, 500, ``},
	{`[{"headers":[[,"v"]],"body":"n"}]`, 500, ``},
	{`[{"headers":{null:"v"},"body":"n"}]`, 200, "{null=v} n"},
	{`[{"headers":{"a":"1"},"headers":{"b":"2"},"body":"n"}]`, 200, "{b=2} n"},
	{`[{"headers":{"a":"1"},"headers":null,"body":"n"}]`, 200, "{} n"},
	{`[{"headers":{"":"e"},"body":"n"}]`, 200, "{=e} n"},

	{`[{"x":{"y":[1,,{"z":[]}]},"body":"i"}]`, 200, "{} i"},
	{`[{"x":[1 2],"body":"i"}]`, 400, ``},
	{`[{"x":]}]`, 400, ``},
	{`[{"x":;}]`, 400, ``},
	{`[{"x":1]`, 400, ``},
	{`[{"x"}]`, 400, ``},
	{`[{"x" "y"}]`, 400, ``},
	{`[{:1}]`, 400, ``},
	{`[{"charset":"x","body":"cs"}]`, 200, "{} cs"},
	{`[{"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `,"body":"deep"}]`, 200, "{} deep"},
	{`[{"x":` + strings.Repeat("[", 2000), 400, ``},
}

func TestJSONAsFlume(t *testing.T) {
	s := begin(t)
	for _, v := range flumeVectors {
		name := v.content[:min(len(v.content), 60)]
		got := s.post(t, v.content)
		if got.status != v.status {
			t.Errorf("%q is answered with %d, not %d: %s", name, got.status, v.status, got.body)
		}
		if got.status == 200 && got.body != "" {
			t.Errorf("%q: an answer 200 has the body %q", name, got.body)
		}
		if events := s.out.take(); events != v.events {
			t.Errorf("%q becomes %q, not %q", name, events, v.events)
		}
	}
}

// TestCharacterSets has Flume's results, too.
func TestCharacterSets(t *testing.T) {
	const text = `[{"headers":{"ké":"vé"},"body":"é"}]`
	const right, twice = "{ké=vé} é", "{kÃ©=vÃ©} Ã©"
	s := begin(t)
	for contentType, want := range map[string]string{
		"":                                  twice,
		"text/plain":                        twice,
		"application/json":                  right,
		"application/json; charset=utf-8":   right,
		`application/json;charset="UTF-8"`:  right,
		"application/json; charset=utf8":    right,
		"text/json":                         right,
		"Application/JSON":                  right,
		"application/x-www-form-urlencoded": twice,
		"application/vnd.api+json":          twice,
		"application/json;charset=":         twice,
		"garbage;;":                         twice,
		"text/plain; charset=UTF-8":         right,
	} {
		if got := s.send(t, "POST", "/", []byte(text), "Content-Type: "+contentType); got.status != 200 {
			t.Errorf("%q is answered with %d: %s", contentType, got.status, got.body)
		}
		if got := s.out.take(); got != want {
			t.Errorf("%q: %q, not %q", contentType, got, want)
		}
	}
	for _, name := range []string{"iso-8859-1", "bogus", "utf-16be"} {
		got := s.send(t, "POST", "/", []byte(text), "Content-Type: application/json; charset="+name)
		if got.status != 500 || !strings.Contains(got.body, textBroken+errCharset) {
			t.Errorf("charset %s is answered with %d: %s", name, got.status, got.body)
		}
	}
	if log := s.log.String(); strings.Count(log, "names no character set") != 1 {
		t.Errorf("text that was taken for ISO-8859-1 is logged otherwise than once:\n%s", log)
	}
}

func TestWideCharacterSets(t *testing.T) {
	const text = `[{"headers":{"ключ":"😀"},"body":"é😀"},{"body":""}]`
	utf16 := func(s string, low int) string {
		var out strings.Builder
		for _, u := range utf16Of(s) {
			pair := []byte{byte(u >> 8), byte(u)}
			out.WriteByte(pair[low])
			out.WriteByte(pair[1-low])
		}
		return out.String()
	}
	utf32 := func(s string) string {
		var out strings.Builder
		for _, r := range s {
			out.WriteString(string([]byte{0, byte(r >> 16), byte(r >> 8), byte(r)}))
		}
		return out.String()
	}
	s := begin(t)
	const big16 = "{ключ=😀} \xfe\xff\x00\xe9\xd8=\xde\x00\n{} "
	for name, c := range map[string]struct{ charset, text, want string }{
		"UTF-16, big-endian":           {"utf-16", utf16(text, 0), big16},
		"UTF-16 with mark":             {"UTF-16", "\xff\xfe" + utf16(text, 1), big16},
		"UTF-16 under its other name":  {"utf16", utf16(text, 0), big16},
		"UTF-32":                       {"utf-32", utf32(text), "{ключ=😀} \x00\x00\x00\xe9\x00\x01\xf6\x00\n{} "},
		"UTF-16, little, without mark": {"utf-16", utf16(text, 1), ""},
	} {
		status := map[bool]int{true: 200, false: 400}[c.want != ""]
		got := s.send(t, "POST", "/", []byte(c.text), "Content-Type: application/json; charset="+c.charset)
		if got.status != status {
			t.Errorf("%s is answered with %d: %s", name, got.status, got.body)
		}
		if got := s.out.take(); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

func utf16Of(s string) []uint16 {
	var out []uint16
	for _, r := range s {
		if r < 0x10000 {
			out = append(out, uint16(r))
			continue
		}
		r -= 0x10000
		out = append(out, 0xD800|uint16(r>>10), 0xDC00|uint16(r&0x3FF))
	}
	return out
}

func TestMalformedInput(t *testing.T) {
	const text = "[{\"headers\":{\"\xff\":\"a\xe2\x82\"},\"body\":\"x\\n\xc3\"}]"
	for policy, want := range map[string]string{
		"replace": "{\uFFFD=a\uFFFD} x\n\uFFFD",
		"keep":    "{\xff=a\xe2\x82} x\n\xc3",
		"reject":  "",
	} {
		s := begin(t, "handler.malformedInput = "+policy)
		got := s.post(t, text)
		if ok := got.status == 200; ok != (want != "") {
			t.Errorf("%s is answered with %d: %s", policy, got.status, got.body)
		}
		if got := s.out.take(); got != want {
			t.Errorf("%s: %q, not %q", policy, got, want)
		}
	}
}

func TestAssumedCharset(t *testing.T) {
	s := begin(t, "handler.assumedCharset = UTF-8")
	s.send(t, "POST", "/", []byte(`[{"body":"é"}]`), "Content-Type: text/plain")
	if got := s.out.take(); got != "{} é" {
		t.Errorf("with UTF-8 assumed: %q", got)
	}
}

func TestPlaceOfSyntaxErrors(t *testing.T) {
	long := strings.Repeat(`{"body":"`+strings.Repeat("é", 500)+"\"},\n", 100) // more than a window
	s := begin(t)
	for text, want := range map[string]string{
		`[{"body":"a"} x`:                     "unterminated array at line 1 column 15",
		"[\n {\"body\":\"é\\n\\n\" 1}]":       "unterminated object at line 2 column 19",
		`[{"body":"a\qb"}]`:                   "invalid escape sequence at line 1 column 12",
		`[{"headers":{"k":"1","k":"2"}}]`:     "is given twice at line 1 column 29",
		"[" + long + "?]":                     "an event is an object at line 101 column 1",
		"[{\"body\":\"é\\u0041\\n\"}, éé \n?": "an event is an object at line 1 column 25",
		`[{"body":"`:                          "unterminated string at line 1 column 11",
		`[{"x":` + strings.Repeat("[", 1500):  "more than 1000 levels at line 1 column 1008",
	} {
		got := s.post(t, text)
		if got.status != 400 || !strings.Contains(got.body, textBadRequest+textSyntax) || !strings.Contains(got.body, want) {
			t.Errorf("%.40q is answered with %d, without %q:\n%s", text, got.status, want, got.body)
		}
	}
}

func TestManyHeaders(t *testing.T) {
	var text, want []string
	for i := range 5000 {
		text = append(text, fmt.Sprintf(`"h%05d":%d`, i, i))
		want = append(want, fmt.Sprintf("h%05d=%d", i, i))
	}
	s := begin(t)
	all := strings.Join(text, ",")
	if got := s.post(t, `[{"headers":{`+all+`}},{"headers":{"h04000":"x"}}]`); got.status != 200 {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	if got := s.out.take(); got != "{"+strings.Join(want, ", ")+"} \n{h04000=x} " {
		t.Errorf("5000 headers became %d bytes: %.100q", len(got), got)
	}
	if got := s.post(t, `[{"headers":{`+all+`,"h04999":1}}]`); got.status != 400 {
		t.Errorf("the last of 5000 headers, given twice, is answered with %d", got.status)
	}
}

func TestNewlineDelimited(t *testing.T) {
	s := begin(t, "handler = ndjson")
	bodies := begin(t, "handler = ndjson", "handler.lines = bodies")
	for _, c := range []struct {
		to         *subject
		text, want string
		status     int
	}{
		{s, "{\"body\":\"a\"}\n\n{\"headers\":{\"k\":1}, \"body\":\"é\"} \r\n", "{} a\n{k=1} é", 200},
		{s, "{\"body\":\"a\"}\n{\n\"body\":\n\"b\"}", "{} a\n{} b", 200},
		{s, "", "", 200},
		{s, `{"body":"a"}{"body":"b"}`, "", 400},
		{s, "{\"body\":\"a\"}\n{\"body\"", "", 400},
		{s, "{\"body\":\"a\"}\n[]", "", 400},
		{bodies, "{\"a\": [1, \"é\"]}\r\n 12 \n\n\"x\"\nnull", "{} {\"a\": [1, \"é\"]}\n{} 12\n{} \"x\"\n{} null", 200},
		{bodies, "{\"a\":1}\n{a:1}\n", "", 400},
		{bodies, "{\"a\":\"" + strings.Repeat("x", 200_000) + "\"}\n", "{} {\"a\":\"" + strings.Repeat("x", 200_000) + "\"}", 200},
	} {
		got := c.to.send(t, http.MethodPost, "/", []byte(c.text))
		if got.status != c.status {
			t.Errorf("%.40q is answered with %d, not %d: %s", c.text, got.status, c.status, got.body)
		}
		if events := c.to.out.take(); events != c.want {
			t.Errorf("%.40q becomes %.100q, not %.100q", c.text, events, c.want)
		}
	}
	if got := bodies.send(t, "POST", "/", []byte("1\n2\n{a:1}\n")); !strings.Contains(got.body, "at line 3 column 1") {
		t.Errorf("the third line is not JSON: %s", got.body)
	}
}
