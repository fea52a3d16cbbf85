package http

import (
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
)

const (
	// maxDiscard is how much of a content that was refused is read for the connection to be of further use.
	maxDiscard = 256 << 10
	// goodbye is how long a connection that ends with an answer is kept for the client to read it: if it were closed
	// with bytes unread, the client might see that and not its answer.
	goodbye = 500 * time.Millisecond
)

// States of a direct connection.
const (
	stateIdle    int32 = iota // waits for a request, and may be closed
	stateServing              // has one
	stateStopped              // was closed while it waited
)

// direct serves a connection without TLS as long as its requests are usual (head.go), and then leaves it to net/http. It does
// what that does for such requests with a system call or two for each, and without a second goroutine
// and timers: that was a quarter of the processor time of a request with a hundred events.
//
// A connection may take headerTimeout until it says something and, if that is not a whole head, as long again until net/http has the
// rest.
//
// It belongs to its goroutine, except where something else is said.
type direct struct {
	*conn
	front *front
	state atomic.Int32

	buf      []byte
	pos, end int    // what was read and is not used yet is buf[pos:end]
	out      []byte // memory for answers

	head     head
	request  http.Request
	left     int64 // bytes of the content that were not read yet
	answer   answer
	deadline time.Time // for reads, as it was set last
	writable time.Time // until when writes may take, as it was set last
	date     date
}

func newDirect(f *front, c *conn) *direct {
	d := &direct{conn: c, front: f, buf: make([]byte, maxHead)}
	d.request = http.Request{
		Method: http.MethodPost, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		RemoteAddr: c.RemoteAddr().String(), Body: (*directBody)(d),
	}
	d.answer.direct = d
	return d
}

// run serves the connection until it ends or is left to net/http.
func (d *direct) run() {
	handed := false
	defer func() {
		if p := recover(); p != nil { // as net/http does: other connections go on
			d.front.service.source.panicked(d.request.RemoteAddr, p, debug.Stack())
		}
		if !handed {
			d.Close()
		}
	}()
	timeout := d.front.service.source.cfg.HeaderTimeout
	for d.await(timeout) {
		size := d.head.parse(d.buf[d.pos:d.end])
		if size == 0 || d.head.length > d.front.service.source.cfg.MaxRequestSize {
			d.conn.replay = d.buf[d.pos:d.end]
			handed = d.front.hand(d.conn)
			return
		}
		d.pos += size
		if !d.serve() {
			return
		}
		timeout = d.front.service.source.idleTimeout
	}
}

// await waits for the beginning of a request, and reports false if there will be none.
func (d *direct) await(timeout time.Duration) bool {
	if d.pos < d.end {
		return true // the client did not wait for its answer
	}
	d.pos, d.end = 0, 0
	d.state.Store(stateIdle)
	if d.front.stopped.Load() || d.SetReadDeadline(time.Now().Add(timeout)) != nil {
		return false
	}
	n, _ := d.Read(d.buf) // whatever ends a connection that says nothing, there is nobody to tell
	d.end = n
	return n > 0 && d.state.CompareAndSwap(stateIdle, stateServing)
}

// stop closes the connection if it waits for a request. Safe for concurrent use.
func (d *direct) stop() {
	if d.state.CompareAndSwap(stateIdle, stateStopped) {
		d.Close()
	}
}

// serve answers the request whose head was understood, and reports whether another may follow.
func (d *direct) serve() bool {
	r, h := &d.request, &d.head
	r.URL, r.Header, r.Host, r.RequestURI, r.ContentLength = h.url, h.header, h.host, h.target, h.length
	d.left = h.length
	d.answer.begin()
	v := d.front.service
	v.ServeHTTP(&d.answer, r)
	ends := d.answer.header.Get("Connection") == "close" || v.stopping.Load()
	if d.left > 0 && !ends {
		ends = d.left > maxDiscard || !d.discard()
	}
	if d.send(ends) != nil {
		return false
	}
	if ends && d.left > 0 {
		d.part()
	}
	return !ends
}

// discard reads the rest of the content and reports whether that is all there.
func (d *direct) discard() bool {
	_, err := io.Copy(io.Discard, d.request.Body)
	return err == nil
}

// part lets a client that still sends read its answer.
func (d *direct) part() {
	if c, ok := d.conn.Conn.(interface{ CloseWrite() error }); !ok || c.CloseWrite() != nil || d.conn.SetReadDeadline(time.Now().Add(goodbye)) != nil {
		return
	}
	for {
		if _, err := d.conn.Read(d.buf); err != nil {
			return
		}
	}
}

// send writes the answer.
func (d *direct) send(ends bool) error {
	now := time.Now()
	timeout := d.front.service.source.cfg.WriteTimeout
	if d.writable.Sub(now) < timeout-timeout/8 {
		d.writable = now.Add(timeout)
		if err := d.SetWriteDeadline(d.writable); err != nil {
			return err
		}
	}
	out := d.answer.append(d.out[:0], d.date.at(now), ends)
	if cap(out) <= maxHead { // there are pages of errors that are larger
		d.out = out
	}
	_, err := d.conn.Conn.Write(out)
	return err
}

// interrupted is a deadline that makes a read return at once.
var interrupted = time.Unix(1, 0)

// SetReadDeadline implements what http.ResponseController wants. Timers are not free, and a deadline that is an eighth
// of the idle time earlier than it should be does not count: that is left as it is. So is no deadline, because there is
// always one. With the deadline interrupted it is safe for concurrent use.
func (d *direct) SetReadDeadline(t time.Time) error {
	if t.Equal(interrupted) {
		return d.conn.SetReadDeadline(t)
	}
	if later := t.Sub(d.deadline); t.IsZero() || later >= 0 && later < d.front.service.source.idleTimeout/8 {
		return nil
	}
	d.deadline = t
	return d.conn.SetReadDeadline(t)
}

// directBody is the content of a request.
type directBody direct

// Read implements io.Reader. The end comes with the last bytes.
func (b *directBody) Read(p []byte) (n int, err error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n = copy(p, b.buf[b.pos:b.end])
	b.pos += n
	b.left -= int64(n)
	if n < len(p) {
		var more int
		more, err = b.conn.Read(p[n:])
		n += more
		b.left -= int64(more)
	}
	switch {
	case b.left == 0:
		err = io.EOF
	case err == io.EOF: //nolint:errorlint // a reader returns it as it is
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Close implements io.Closer. What was not read is the connection's to deal with.
func (b *directBody) Close() error { return nil }

// answer keeps the answer to a request until all of it is known. It implements http.ResponseWriter.
type answer struct {
	direct *direct
	status int
	header http.Header // nil if it has none
	body   []byte
}

func (a *answer) begin() {
	a.status, a.header, a.body = http.StatusOK, nil, nil
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// SetReadDeadline is what http.ResponseController asks for.
func (a *answer) SetReadDeadline(t time.Time) error { return a.direct.SetReadDeadline(t) }

// append appends the answer as it is sent.
func (a *answer) append(b, date []byte, ends bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(a.status), 10)
	b = append(b, ' ')
	b = append(b, http.StatusText(a.status)...)
	b = append(b, "\r\nDate: "...)
	b = append(b, date...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(a.body)), 10)
	b = append(b, "\r\n"...)
	if ends {
		b = append(b, "Connection: close\r\n"...)
	}
	if a.header != nil {
		a.header.Del("Content-Length") // both are written already
		a.header.Del("Connection")
		w := appender(b)
		_ = a.header.Write(&w) // an appender takes everything
		b = w
	}
	b = append(b, "\r\n"...)
	return append(b, a.body...)
}

// appender is an io.Writer that appends.
type appender []byte

// Write implements io.Writer.
func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// date is the time of a second as HTTP writes it.
type date struct {
	second int64
	text   []byte
}

func (d *date) at(now time.Time) []byte {
	if s := now.Unix(); s != d.second || d.text == nil {
		d.second = s
		d.text = now.UTC().AppendFormat(d.text[:0], http.TimeFormat)
	}
	return d.text
}
