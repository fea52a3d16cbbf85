package http

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// service is one run of the source. ServeHTTP is called concurrently.
type service struct {
	source *source
	guard  *guard
	out    flow.Emitter
	work   context.Context //nolint:containedctx // events are emitted under it: it outlives that of Run by the grace

	underWay atomic.Int64
	stopping atomic.Bool    // set with mu held
	handlers sync.WaitGroup // requests under way; added to with mu held

	mu      sync.Mutex
	reading map[*content]struct{}
}

func newService(s *source, g *guard, out flow.Emitter) *service {
	return &service{source: s, guard: g, out: out, reading: map[*content]struct{}{}}
}

// enter begins a request, unless the service is stopping. It is ended by
// handlers.Done.
func (v *service) enter() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stopping.Load() {
		return false
	}
	v.handlers.Add(1)
	return true
}

func (v *service) enterReading(c *content) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.reading[c] = struct{}{}
}

func (v *service) leaveReading(c *content) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.reading, c)
}

// ServeHTTP answers every path alike, as Flume does.
func (v *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := v.answer(w, r)
	if err == nil {
		return
	}
	refusal := refusalOf(err)
	if refusal.unread {
		v.source.count.readFail.Add(1)
	}
	if refusal.limited {
		v.source.count.limited.Add(1)
	}
	v.source.logRefusal(r, refusal)
	refusal.write(w, r)
	if r.ContentLength != 0 {
		v.linger(w)
	}
}

// lingerTimeout is how long the server may read what a client still sends although
// it was refused: one that is cut off while it sends may not see its answer.
const lingerTimeout = time.Second

// linger bounds what the server does behind a refusal.
func (v *service) linger(w http.ResponseWriter) {
	until := time.Now().Add(lingerTimeout)
	if v.stopping.Load() {
		until = interrupted
	}
	_ = http.NewResponseController(w).SetReadDeadline(until) // fails on closed connections only
}

// answer takes r through the gates and answers it if it was stored.
func (v *service) answer(w http.ResponseWriter, r *http.Request) error {
	if err := methodOf(r); err != nil {
		return err
	}
	if !v.enter() {
		return stopping()
	}
	defer v.handlers.Done()
	user, err := v.admit(w, r)
	if err != nil {
		return err
	}
	if n := v.underWay.Add(1); v.source.cfg.MaxRequests > 0 && n > int64(v.source.cfg.MaxRequests) {
		v.underWay.Add(-1)
		return busy("As many requests are under way as the property maxRequests allows.")
	}
	defer v.underWay.Add(-1)
	return v.take(w, r, user)
}

// methodOf refuses what is neither GET, HEAD nor POST, with Flume's answers.
func methodOf(r *http.Request) error {
	status := http.StatusNotImplemented
	switch r.Method {
	case http.MethodPost, http.MethodGet, http.MethodHead:
		return nil
	case http.MethodOptions, http.MethodTrace:
		status = http.StatusForbidden
	case http.MethodPut, http.MethodDelete:
		status = http.StatusMethodNotAllowed
	}
	return &refusal{status: status, message: "The method " + oneLine(r.Method) + " is not supported; send POST.", closes: true}
}

// admit lets those pass who may send, and not too often.
func (v *service) admit(w http.ResponseWriter, r *http.Request) (user string, err error) {
	if err := v.source.clients.admit(r.RemoteAddr, time.Now()); err != nil {
		return "", err
	}
	user, err = v.guard.admit(w, r)
	if err != nil {
		v.source.count.unauthorized.Add(1)
	}
	return user, err
}

// take reads and stores r, and answers it if that succeeds.
func (v *service) take(w http.ResponseWriter, r *http.Request, user string) error {
	key := ""
	if v.source.keys != nil {
		var err error
		if key, err = keyOf(r, user); err != nil {
			return err
		}
	}
	c, err := v.open(w, r)
	if err != nil {
		return err
	}
	defer c.account.close()
	b := event.NewBatch()
	defer b.Release()
	digest, err := v.read(c, b, key != "")
	if err != nil {
		return err
	}
	if key == "" {
		return v.store(b)
	}
	repeat, err := v.source.keys.begin(key, digest)
	switch {
	case err != nil:
		return err
	case repeat:
		v.source.count.repeated.Add(1)
		w.Header().Set("Idempotency-Replayed", "true")
		return nil
	}
	stored := false
	defer func() { v.source.keys.finish(key, stored) }()
	err = v.store(b)
	stored = err == nil
	return err
}

// read makes events of c and ends it. digest is that of what was sent, if asked for.
func (v *service) read(c *content, b *event.Batch, sum bool) (digest []byte, err error) {
	defer c.end()
	if sum {
		c.sum(c.request.URL.RawQuery)
	}
	if err := v.source.handler.decode(c, b); err != nil {
		return nil, err
	}
	if sum {
		digest = c.digest.Sum(nil)
	}
	return digest, nil
}

// store emits b. A request without events is stored as it is.
func (v *service) store(b *event.Batch) error {
	s := v.source
	s.count.batchReceived.Add(1)
	if b.Len() > 0 {
		// Not under the context of the request: a client that leaves changes
		// nothing about its events.
		if err := v.out.Emit(v.work, b); err != nil {
			return v.notStored(err)
		}
		s.emitted()
	}
	s.count.batchAccepted.Add(1)
	return nil
}

// notStored is the answer when Emit fails.
func (v *service) notStored(err error) *refusal {
	if v.stopping.Load() {
		return stopping()
	}
	v.source.emitFailed(err)
	switch flow.ClassOf(err) {
	case flow.ClassReject, flow.ClassFatal:
		v.source.count.otherFail.Add(1)
		return &refusal{status: http.StatusInternalServerError, message: textFailed + err.Error()}
	}
	return &refusal{
		status: http.StatusServiceUnavailable, message: textNotStored + " " + err.Error(),
		retry: max(v.source.cfg.RetryAfter, flow.Pause(err)),
	}
}

// logRefusal logs some of the requests that are not served. The query stays out:
// it may hold secrets.
func (s *source) logRefusal(r *http.Request, why *refusal) {
	if why.status == http.StatusServiceUnavailable && s.failing.Load() {
		return // that is logged once, by emitFailed
	}
	if ok, more := s.refusalLog.Allow(); ok {
		s.log.Warn("a request is refused", "client", r.RemoteAddr, "method", r.Method, "path", r.URL.Path,
			"status", why.status, "reason", why.message, "not-logged", more)
	}
}

// lineLogger passes on what the HTTP server says of connections, some of it.
type lineLogger struct{ source *source }

// Write implements io.Writer.
func (l lineLogger) Write(p []byte) (int, error) {
	if ok, more := l.source.serverLog.Allow(); ok {
		l.source.log.LogAttrs(context.Background(), slog.LevelWarn, "a connection is in trouble",
			slog.String("reason", strings.TrimSpace(string(p))), slog.Int64("not-logged", more))
	}
	return len(p), nil
}

// panicked says that serving a client has failed by a mistake in this program. net/http does so for its connections.
func (s *source) panicked(client string, why any, stack []byte) {
	s.log.Error("serving a connection has failed; it was closed", "client", client, "panic", why, "stack", string(stack))
}
