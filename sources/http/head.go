package http

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// maxHead is the longest head of a request that is understood here, and maxFields the most lines in it.
// What is longer is left to the library, which also knows the limits.
const (
	maxHead   = 4 << 10
	maxFields = 32
	maxLength = 18 // digits of a Content-Length: an int64 holds them
)

// head understands the head of a usual request: POST by HTTP/1.1 with a Content-Length, everything in its plainest form. It never
// refuses anything. Whatever is unusual, or wrong, or may be understood in two ways, it does not understand, and then
// net/http reads that request from its first byte: so there is one place that decides what is malformed, and
// nothing is understood here that net/http would understand otherwise.
//
// Its fields are of the head understood last. A client sends one like the other, and of a head that is equal to
// the one before nothing needs to be done again.
type head struct {
	text   string // all of it, the empty line included
	target string
	url    *url.URL
	host   string
	header http.Header
	length int64 // of the content, at least 1

	values [maxFields]string // of which header consists
}

var endOfHead = []byte("\r\n\r\n")

// parse understands the head that text begins with, and returns its size; 0 if it is not understood or not all there.
func (h *head) parse(text []byte) (size int) {
	if h.text != "" && len(text) >= len(h.text) && string(text[:len(h.text)]) == h.text {
		return len(h.text)
	}
	end := bytes.Index(text, endOfHead)
	if end < 0 || end > maxHead {
		return 0
	}
	size = end + len(endOfHead)
	whole := string(text[:size])
	h.text = ""
	line, fields, _ := strings.Cut(whole[:end+len("\r\n")], "\r\n")
	if !h.requestLine(line) || !h.fields(fields) {
		return 0
	}
	h.text = whole
	return size
}

// requestLine understands the first line.
func (h *head) requestLine(line string) bool {
	target, ok := strings.CutPrefix(line, http.MethodPost+" ")
	if !ok {
		return false
	}
	if target, ok = strings.CutSuffix(target, " HTTP/1.1"); !ok || !strings.HasPrefix(target, "/") {
		return false
	}
	for i := range len(target) {
		if c := target[i]; c <= ' ' || c >= 0x7f {
			return false
		}
	}
	if h.url != nil && h.target == target {
		return true
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return false
	}
	h.target, h.url = target, u
	return true
}

// fields understands the lines behind the first, each with its end.
func (h *head) fields(lines string) bool {
	if h.header == nil {
		h.header = http.Header{}
	}
	clear(h.header)
	h.host, h.length = "", 0
	for n := 0; lines != ""; n++ {
		var line string
		line, lines, _ = strings.Cut(lines, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || n == maxFields || !plainName(name) || !plainValue(value) {
			return false
		}
		value = strings.Trim(value, " \t")
		name = textproto.CanonicalMIMEHeaderKey(name)
		if !h.meaning(name, value) {
			return false
		}
		if name == "Host" {
			continue // net/http keeps it out of the header
		}
		h.values[n] = value
		if before, again := h.header[name]; again {
			h.header[name] = append(before, value)
		} else {
			h.header[name] = h.values[n : n+1 : n+1]
		}
	}
	return h.host != "" && h.length > 0
}

// meaning takes what a field says about the request itself, and reports whether that is something usual.
func (h *head) meaning(name, value string) bool {
	switch name {
	case "Host":
		if h.host != "" || !plainHost(value) {
			return false
		}
		h.host = value
	case "Content-Length":
		if h.length != 0 {
			return false
		}
		h.length = plainLength(value)
		return h.length > 0
	case "Connection":
		return value == "keep-alive" || value == "Keep-Alive"
	case "Transfer-Encoding", "Trailer", "Te", "Expect", "Upgrade", "Http2-Settings", "Proxy-Connection", "Pragma":
		return false
	}
	return true
}

// plainName reports whether name consists of letters, digits, "-" and "_".
func plainName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return name != ""
}

// plainValue reports whether value is ASCII without control characters but tabs.
func plainValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c >= 0x7f {
			return false
		}
	}
	return true
}

// plainHost reports whether value is what a name or an address, with or without a port, consists of.
func plainHost(value string) bool {
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._:[]", c) >= 0:
		default:
			return false
		}
	}
	return value != ""
}

// plainLength returns the number that value is; 0 if it is none, or is 0.
func plainLength(value string) (n int64) {
	if len(value) > maxLength {
		return 0
	}
	for i := range len(value) {
		c := value[i] - '0'
		if c > 9 {
			return 0
		}
		n = n*10 + int64(c)
	}
	return n
}
