package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refusal is an answer that says why a request was not served. It is the error of
// whatever found that out.
type refusal struct {
	status  int
	message string
	retry   time.Duration // when to try again; 0: do not say
	closes  bool          // the connection is of no more use
	unread  bool          // the client's fault: counted as EventReadFail
	limited bool          // because of a limit: counted as requests_limited
}

func (r *refusal) Error() string { return r.message }

// The messages with which Flume's begin.
const (
	textBadRequest = "Bad request from client. "
	textBroken     = "Deserializer threw unexpected exception. "
	textNotStored  = "Error appending event to channel. Channel might be full."
	textFailed     = "Unexpected error while appending event to channel. "
	textSyntax     = "Request has invalid JSON Syntax."
)

// bad says that the request is not what it should be.
func bad(what string) *refusal {
	return &refusal{status: http.StatusBadRequest, message: textBadRequest + what, unread: true}
}

// broken is bad for what Flume's handlers do not expect and fail on.
func broken(what string) *refusal {
	return &refusal{status: http.StatusInternalServerError, message: textBroken + what, unread: true}
}

// tooLarge says that the content, or what it becomes, is too much.
func tooLarge(what string) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, message: textBadRequest + what, closes: true, unread: true}
}

// busy asks the client to come back.
func busy(what string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, message: what, retry: time.Second, closes: true, limited: true}
}

func stopping() *refusal {
	r := busy("The source is stopping.")
	r.limited = false
	return r
}

// refusalOf returns the answer for an error of reading and decoding.
func refusalOf(err error) *refusal {
	var r *refusal
	var syntax *syntaxError
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &syntax):
		return bad(textSyntax + " " + syntax.Error())
	case badEvents(err):
		return broken(err.Error())
	}
	return bad(err.Error())
}

// write answers in the form that the client accepts, HTML if it does not say.
func (r *refusal) write(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "must-revalidate,no-cache,no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((r.retry+time.Second-1)/time.Second), 10))
	}
	if r.closes && req.ProtoMajor < 2 {
		h.Set("Connection", "close")
	}
	media, body := r.page(req)
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(r.status)
	if req.Method != http.MethodHead {
		_, _ = w.Write(body) // a client that left needs no answer
	}
}

// page is the answer's body. It names what Flume's pages do, but no server.
func (r *refusal) page(req *http.Request) (media string, body []byte) {
	accept := strings.ToLower(strings.Join(req.Header.Values("Accept"), ","))
	first := func(media string) int {
		if i := strings.Index(accept, media); i >= 0 {
			return i
		}
		return len(accept)
	}
	asHTML, asJSON, asText := first("text/html"), first("application/json"), first("text/plain")
	switch {
	case asJSON < asHTML && asJSON < asText:
		body, _ := json.Marshal(map[string]string{ // strings: cannot fail
			"url": req.URL.Path, "status": strconv.Itoa(r.status), "message": r.message,
		})
		return "application/json", append(body, '\n')
	case asText < asHTML:
		return "text/plain;charset=utf-8", fmt.Appendf(nil, "HTTP ERROR %d %s\nURI: %s\nSTATUS: %d\nMESSAGE: %s\n",
			r.status, r.message, oneLine(req.URL.Path), r.status, r.message)
	}
	message := html.EscapeString(r.message)
	return "text/html;charset=utf-8", fmt.Appendf(nil, `<html>
<head><title>Error %d %s</title></head>
<body><h2>HTTP ERROR %d %s</h2>
<table>
<tr><th>URI:</th><td>%s</td></tr>
<tr><th>STATUS:</th><td>%d</td></tr>
<tr><th>MESSAGE:</th><td>%s</td></tr>
</table>
</body>
</html>
`, r.status, message, r.status, message, html.EscapeString(req.URL.Path), r.status, message)
}

// oneLine shows a path, which may hold any character, in one line of text.
func oneLine(path string) string {
	quoted := strconv.Quote(path)
	return quoted[1 : len(quoted)-1]
}
