package http

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// byNetHTTP is how net/http reads the request that text begins with: what is to be compared of it, and how long its head is.
func byNetHTTP(text []byte) (head, error) {
	whole := bytes.NewReader(text)
	buffered := bufio.NewReaderSize(whole, len(text)+16)
	r, err := http.ReadRequest(buffered)
	if err != nil {
		return head{}, err
	}
	size := len(text) - whole.Len() - buffered.Buffered()
	return head{
		text: string(text[:size]), target: r.RequestURI, url: r.URL, host: r.Host, header: r.Header, length: r.ContentLength,
	}, nil
}

// sameHead fails unless net/http understands what h has understood, and in the same way.
func sameHead(t *testing.T, h *head, text []byte) {
	t.Helper()
	want, err := byNetHTTP(text)
	if err != nil {
		t.Fatalf("%q is understood, but net/http says: %v", text, err)
	}
	if !strings.HasPrefix(h.text, http.MethodPost+" ") {
		t.Fatalf("%q is taken for a POST", text)
	}
	// What else net/http understands must be as the connection assumes.
	r, _ := http.ReadRequest(bufio.NewReader(bytes.NewReader(text)))
	if r.Method != http.MethodPost || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.Close || r.TransferEncoding != nil || r.Trailer != nil {
		t.Fatalf("%q is understood, which to net/http is %+v", text, r)
	}
	if h.text != want.text || h.target != want.target || h.host != want.host || h.length != want.length {
		t.Fatalf("%q is understood as\n%+v, by net/http as\n%+v", text, h, want)
	}
	if diff := cmp.Diff(want.url, h.url); diff != "" {
		t.Fatalf("target of %q (- net/http):\n%s", text, diff)
	}
	if diff := cmp.Diff(want.header, h.header); diff != "" {
		t.Fatalf("header of %q (- net/http):\n%s", text, diff)
	}
}

const plainHead = "POST / HTTP/1.1\r\nHost: 127.0.0.1:5140\r\nContent-Length: 2\r\n"

// TestUsualHeads has heads that clients send, which must be understood: else all of the work is for nothing.
func TestUsualHeads(t *testing.T) {
	var h head // of one connection
	for _, text := range []string{
		plainHead + "\r\n[]",
		plainHead + "\r\n",
		plainHead + "\r\n" + plainHead + "\r\n",
		"POST /a/b.json?x=1&y=%20z HTTP/1.1\r\nhost: flume.example.com\r\ncontent-length: 123456789012345678\r\n\r\n",
		"POST //x/y HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 07\r\n\r\n",
		// curl
		"POST / HTTP/1.1\r\nHost: x:1\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n",
		// Go
		"POST / HTTP/1.1\r\nHost: x:1\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: 5\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
		// Java
		"POST / HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\nUser-Agent: Java/17.0.1\r\nHost: x:1\r\nAccept: */*\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
		// Python
		"POST / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAuthorization: Bearer a+b/c==\r\nContent-Length: 1\r\n\r\n1",
		plainHead + "Content-Encoding: gzip\r\nIdempotency-Key: \t a b\tc \t\r\nX_y: \r\nAccept: a\r\naccept: b\r\nACCEPT: c\r\nCookie: a=b\r\n\r\n",
	} {
		if h.parse([]byte(text)) == 0 {
			t.Errorf("%q is not understood", text)
			continue
		}
		sameHead(t, &h, []byte(text))
	}
}

// TestUnusualHeads has heads that must be left to net/http.
func TestUnusualHeads(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                   "",
		"no end":                    plainHead,
		"half an end":               plainHead + "\r",
		"no head":                   "\r\n\r\n",
		"line before the first":     "\r\n" + plainHead + "\r\n",
		"newlines alone":            strings.ReplaceAll(plainHead+"\r\n", "\r\n", "\n"),
		"an end of newlines":        plainHead + "A: b\n\nC: d\r\n\r\n",
		"a newline in a value":      plainHead + "A: b\nTransfer-Encoding: chunked\r\n\r\n",
		"a return in a value":       plainHead + "A: b\rC: d\r\n\r\n",
		"a return in a name":        plainHead + "A\r: b\r\n\r\n",
		"a folded line":             plainHead + "A: b\r\n c\r\n\r\n",
		"a folded first field":      "POST / HTTP/1.1\r\n Host: x\r\nContent-Length: 2\r\n\r\n",
		"a folded length":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n 2\r\n\r\n",
		"space before the colon":    plainHead + "A : b\r\n\r\n",
		"no name":                   plainHead + ": b\r\n\r\n",
		"no colon":                  plainHead + "A\r\n\r\n",
		"a control character":       plainHead + "A: \x00\r\n\r\n",
		"a delete character":        plainHead + "A: \x7f\r\n\r\n",
		"more than ASCII":           plainHead + "A: \xe4\r\n\r\n",
		"a name with more":          plainHead + "\xe4: a\r\n\r\n",
		"another method":            strings.Replace(plainHead, "POST", "PUT", 1) + "\r\n",
		"a method in small letters": strings.Replace(plainHead, "POST", "post", 1) + "\r\n",
		"another version":           strings.Replace(plainHead, "1.1", "1.0", 1) + "\r\n",
		"two spaces":                strings.Replace(plainHead, "POST ", "POST  ", 1) + "\r\n",
		"a space in the target":     strings.Replace(plainHead, "/ ", "/a b ", 1) + "\r\n",
		"a space behind the line":   strings.Replace(plainHead, "1.1", "1.1 ", 1) + "\r\n",
		"an absolute target":        strings.Replace(plainHead, "/ ", "http://x/ ", 1) + "\r\n",
		"a bad target":              strings.Replace(plainHead, "/ ", "/%zz ", 1) + "\r\n",
		"no target":                 strings.Replace(plainHead, "/ ", " ", 1) + "\r\n",
		"no host":                   "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n",
		"an empty host":             "POST / HTTP/1.1\r\nHost:\r\nContent-Length: 2\r\n\r\n",
		"a strange host":            "POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: 2\r\n\r\n",
		"a host with a path":        "POST / HTTP/1.1\r\nHost: a/b\r\nContent-Length: 2\r\n\r\n",
		"two hosts":                 plainHead + "Host: x\r\n\r\n",
		"no length":                 "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
		"length 0":                  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		"two lengths 0, then 2":     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 2\r\n\r\n",
		"two lengths":               plainHead + "Content-Length: 3\r\n\r\n",
		"two equal lengths":         plainHead + "Content-Length: 2\r\n\r\n",
		"lengths in one":            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2, 2\r\n\r\n",
		"a length with a sign":      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +2\r\n\r\n",
		"a negative length":         "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -2\r\n\r\n",
		"a hexadecimal length":      "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x2\r\n\r\n",
		"a length with a space":     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2 2\r\n\r\n",
		"an empty length":           "POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
		"a length beyond all":       "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n",
		"chunks":                    plainHead + "Transfer-Encoding: chunked\r\n\r\n",
		"chunks, written strangely": plainHead + "tRANSFER-eNCODING: \tchunked\r\n\r\n",
		"an identity":               plainHead + "Transfer-Encoding: identity\r\n\r\n",
		"an expectation":            plainHead + "Expect: 100-continue\r\n\r\n",
		"an upgrade":                plainHead + "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"a last request":            plainHead + "Connection: close\r\n\r\n",
		"a last request among more": plainHead + "Connection: keep-alive, close\r\n\r\n",
		"a trailer":                 plainHead + "Trailer: A\r\n\r\n",
		"a pragma":                  plainHead + "Pragma: no-cache\r\n\r\n",
		"too many fields":           plainHead + strings.Repeat("A: b\r\n", maxFields) + "\r\n",
		"too long":                  plainHead + "A: " + strings.Repeat("b", maxHead) + "\r\n\r\n",
	} {
		var h head
		if size := h.parse([]byte(text)); size != 0 {
			t.Errorf("%s: %d bytes of %q are understood", name, size, text)
		}
	}
}

// TestHeadsInTurns has heads on one connection that are nearly the one before.
func TestHeadsInTurns(t *testing.T) {
	var h head
	for _, c := range []struct {
		text string
		ok   bool
	}{
		{plainHead + "A: b\r\n\r\n", true},
		{plainHead + "A: b\r\n\r\n", true},
		{plainHead + "A: b\r\nB: c\r\n\r\n", true},
		{plainHead + "Transfer-Encoding: chunked\r\n\r\n", false},
		{plainHead + "A: b\r\n\r\n", true},
		{plainHead + "A: b\r\n\r", false},
		{"POST /%zz HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", false},
		{"POST /other HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n", true},
		{"POST / HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{plainHead + "\r\n", true},
	} {
		if size := h.parse([]byte(c.text)); size != 0 != c.ok {
			t.Errorf("%q: understood %d bytes", c.text, size)
		}
		if c.ok {
			sameHead(t, &h, []byte(c.text))
		}
	}
}

// FuzzHead has what is understood be understood by net/http in the same way, also by a connection that has understood
// something else before.
func FuzzHead(f *testing.F) {
	f.Add([]byte(plainHead+"\r\n[]"), []byte(plainHead+"A: b\r\n\r\n"))
	f.Add([]byte("POST //x?y HTTP/1.1\r\nhost: [::1]\r\nContent-LENGTH: 007\r\nA:\t b\r\na: c\r\n\r\n"), []byte(plainHead+"\r\n"))
	f.Add([]byte(plainHead+"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), []byte(plainHead+"A: b\n\nX: y\r\n\r\n"))
	f.Add([]byte("POST http://y/z HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), []byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		var h head
		for _, text := range [][]byte{first, second, first} {
			size := h.parse(text)
			if size == 0 {
				continue
			}
			if size > len(text) || h.text != string(text[:size]) {
				t.Fatalf("%q: understood %d bytes, %q", text, size, h.text)
			}
			sameHead(t, &h, text)
		}
	})
}

// TestReplay reads again what was read, and then the connection.
func TestReplay(t *testing.T) {
	client, server := tcpPair(t)
	if _, err := io.WriteString(client, "behind"); err != nil {
		t.Fatal(err)
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	c := &conn{Conn: server, replay: []byte("before ")}
	var got []byte
	buf := make([]byte, 3)
	for {
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil {
			break
		}
	}
	if string(got) != "before behind" {
		t.Errorf("read %q", got)
	}
}
