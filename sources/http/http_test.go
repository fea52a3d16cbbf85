package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/flume-go/flume/flow"
)

const one = `[{"body":"a"}]`

func TestMethods(t *testing.T) {
	s := begin(t)
	for method, want := range map[string]int{
		"POST": 200, "GET": 200, "HEAD": 200, "OPTIONS": 403, "TRACE": 403, "PUT": 405, "DELETE": 405, "PATCH": 501, "FOO": 501,
	} {
		got := s.send(t, method, "/any/path?with=query", []byte(one), asJSON)
		if got.status != want {
			t.Errorf("%s is answered with %d, not %d", method, got.status, want)
		}
		if method == "HEAD" && got.body != "" {
			t.Errorf("HEAD is answered with the body %q", got.body)
		}
		if stored := s.out.take() == "{} a"; stored != (want == 200) {
			t.Errorf("%s: stored is %v", method, stored)
		}
	}
	for _, path := range []string{"//x", "/a;b=c", "/%C3%A9", "/deep/er/"} {
		if got := s.send(t, "POST", path, []byte(one), asJSON); got.status != 200 {
			t.Errorf("path %s is answered with %d", path, got.status)
		}
	}
}

func TestCounters(t *testing.T) {
	s := begin(t)
	s.post(t, `[{},{}]`)
	s.post(t, `[]`)
	s.post(t, `[`)
	s.post(t, ``)
	want := map[string]string{"AppendBatchReceivedCount": "2", "AppendBatchAcceptedCount": "2", "EventReadFail": "2"}
	if diff := cmp.Diff(want, s.counted()); diff != "" {
		t.Errorf("counters (-want +got):\n%s", diff)
	}
	if s.out.calls != 1 {
		t.Errorf("two requests, one of them empty, lead to %d calls of Emit", s.out.calls)
	}
	s.stop()
	if n := s.count.open.Value(); n != 0 {
		t.Errorf("%d connections are open when the source has stopped", n)
	}
	if n := strings.Count(s.log.String(), "a request is refused"); n != 1 {
		t.Errorf("two bad requests are logged %d times:\n%s", n, s.log)
	}
}

func TestNotStored(t *testing.T) {
	cause := errors.New("the reason <x>")
	for name, c := range map[string]struct {
		err     error
		status  int
		text    string
		retry   string
		counted map[string]string
	}{
		"full":     {flow.ErrFull, 503, textNotStored + " channel is full", "7", map[string]string{}},
		"plain":    {cause, 503, textNotStored + " the reason &lt;x&gt;", "7", map[string]string{}},
		"pause":    {flow.RetryAfter(cause, 90*time.Second), 503, textNotStored, "90", map[string]string{}},
		"rejected": {flow.Reject(cause), 500, textFailed, "", map[string]string{"GenericProcessingFail": "1"}},
		"fatal":    {flow.Fatal(cause), 500, textFailed, "", map[string]string{"GenericProcessingFail": "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, "retryAfter = 7")
			s.out.fail = func(_ context.Context, call int) error {
				return map[bool]error{true: c.err}[call == 1]
			}
			got := s.post(t, one)
			if got.status != c.status || !strings.Contains(got.body, c.text) || got.header.Get("Retry-After") != c.retry {
				t.Errorf("answered with %d, Retry-After %q:\n%s", got.status, got.header.Get("Retry-After"), got.body)
			}
			if got := s.post(t, one); got.status != 200 || s.out.take() != "{} a" {
				t.Errorf("the second try is answered with %d", got.status)
			}
			want := map[string]string{"AppendBatchReceivedCount": "2", "AppendBatchAcceptedCount": "1"}
			maps.Copy(want, c.counted)
			if diff := cmp.Diff(want, s.counted()); diff != "" {
				t.Errorf("counters (-want +got):\n%s", diff)
			}
			for _, line := range []string{"handing on events fails", "handing on events works again"} {
				if strings.Count(s.log.String(), line) != 1 {
					t.Errorf("not one line %q in:\n%s", line, s.log)
				}
			}
		})
	}
}

func TestErrorPages(t *testing.T) {
	s := begin(t)
	for accept, want := range map[string][2]string{
		"":                             {"text/html;charset=utf-8", "<tr><th>STATUS:</th><td>400</td></tr>"},
		"*/*":                          {"text/html;charset=utf-8", "<th>URI:</th><td>/&lt;b&gt;</td>"},
		"application/json":             {"application/json", `"message":"Bad request from client. Request has invalid JSON Syntax.`},
		"application/json, text/plain": {"application/json", `"status":"400"`},
		"text/plain":                   {"text/plain;charset=utf-8", "MESSAGE: Bad request from client. "},
	} {
		got := s.send(t, "POST", "/<b>", []byte("["), asJSON, "Accept: "+accept)
		if got.header.Get("Content-Type") != want[0] || !strings.Contains(got.body, want[1]) {
			t.Errorf("Accept %q: %s\n%s", accept, got.header.Get("Content-Type"), got.body)
		}
	}
}

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	w.Close()
	return b.Bytes()
}

func zstded(t *testing.T, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(text, nil)
}

func TestCompressed(t *testing.T) {
	s := begin(t, "maxDecodedSize = 100000", "maxMemory = 200000000")
	bomb := []byte("[" + strings.Repeat(" ", 200_000) + "]")
	whole := gzipped([]byte(one))
	for name, c := range map[string]struct {
		encoding string
		content  []byte
		status   int
	}{
		"gzip":           {"gzip", whole, 200},
		"upper case":     {"GZIP", whole, 200},
		"old name":       {"x-gzip", whole, 200},
		"zstd":           {"zstd", zstded(t, []byte(one)), 200},
		"large zstd":     {"zstd", zstded(t, jsonArray(100, 512)), 200},
		"zstd frames":    {"zstd", append(zstded(t, []byte("[{")), zstded(t, []byte("}]"))...), 200},
		"zstd cut off":   {"zstd", zstded(t, jsonArray(100, 512))[:500], 400},
		"no zstd":        {"zstd", nil, 400},
		"identity":       {"identity", []byte(one), 200},
		"two members":    {"gzip", append(gzipped([]byte("[{")), gzipped([]byte("}]"))...), 200},
		"gzip bomb":      {"gzip", gzipped(bomb), 413},
		"zstd bomb":      {"zstd", zstded(t, bomb), 413},
		"as it is":       {"", bomb, 413},
		"not gzip":       {"gzip", []byte(one), 400},
		"not zstd":       {"zstd", []byte(one), 400},
		"nothing":        {"gzip", nil, 400},
		"cut off":        {"gzip", whole[:len(whole)-3], 400},
		"bad checksum":   {"gzip", append(append([]byte{}, whole[:len(whole)-8]...), "12345678"...), 400},
		"unknown":        {"br", []byte(one), 415},
		"twice":          {"gzip, gzip", gzipped(whole), 415},
		"garbage behind": {"gzip", append(append([]byte{}, whole...), "xx"...), 400},
	} {
		got := s.send(t, "POST", "/", c.content, asJSON, "Content-Encoding: "+c.encoding)
		if got.status != c.status {
			t.Errorf("%s is answered with %d, not %d: %s", name, got.status, c.status, got.body)
		}
		if stored := s.out.take() != ""; stored != (c.status == 200) {
			t.Errorf("%s: stored is %v", name, stored)
		}
	}
	if used := s.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes of the budget are not given back", used)
	}
	off := begin(t, "decompress = never")
	if got := off.send(t, "POST", "/", whole, asJSON, "Content-Encoding: gzip"); got.status != 400 {
		t.Errorf("compressed content is answered with %d by a source that does not decompress", got.status)
	}
}

func TestLimits(t *testing.T) {
	t.Run("size", func(t *testing.T) {
		s := begin(t, "maxRequestSize = 1000")
		if got := s.post(t, `["`+strings.Repeat("x", 2000)); got.status != 413 {
			t.Errorf("too much, said in advance, is answered with %d", got.status)
		}
		chunked := "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat(" ", 2000) + "\r\n0\r\n\r\n"
		if got := s.raw(t, chunked); !strings.HasPrefix(got, "HTTP/1.1 413") {
			t.Errorf("too much, in chunks, is answered with %.60q", got)
		}
	})
	t.Run("memory", func(t *testing.T) {
		s := begin(t, "maxMemory = 1048576", "maxRequestSize = 1000000", "maxDecodedSize = 1000000")
		if got := s.post(t, "["+strings.Repeat("{},", 60000)+"{}]"); got.status != 413 {
			t.Errorf("many events of nothing are answered with %d", got.status)
		}
		hold := account{budget: s.memory}
		if err := hold.hold(1 << 20); err != nil {
			t.Fatal(err)
		}
		if got := s.post(t, one); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("without memory: %d, Retry-After %q", got.status, got.header.Get("Retry-After"))
		}
		hold.close()
		if got := s.post(t, one); got.status != 200 {
			t.Errorf("with memory again: %d", got.status)
		}
	})
	t.Run("requests", func(t *testing.T) {
		s := begin(t, "maxRequests = 1")
		inside, gate := make(chan struct{}), make(chan struct{})
		s.out.fail = func(context.Context, int) error {
			close(inside)
			<-gate
			return nil
		}
		first := make(chan reply, 1)
		go func() { first <- s.post(t, one) }()
		<-inside
		if got := s.post(t, one); got.status != 503 || got.header.Get("Retry-After") == "" {
			t.Errorf("the second is answered with %d", got.status)
		}
		close(gate)
		if got := <-first; got.status != 200 {
			t.Errorf("the first is answered with %d", got.status)
		}
	})
	t.Run("connections", func(t *testing.T) {
		s := begin(t, "maxConnections = 1")
		held := s.dial(t)
		if _, err := io.WriteString(held, "GET / HTTP/1.1\r\n"); err != nil {
			t.Fatal(err)
		}
		if got := s.raw(t, ""); !strings.HasPrefix(got, "HTTP/1.1 503") {
			t.Errorf("a connection too many is answered with %q", got)
		}
	})
	t.Run("rate", func(t *testing.T) {
		s := begin(t, "maxClientRate = 1", "clientBurst = 3")
		for i := range 4 {
			want := map[bool]int{true: 200, false: 429}[i < 3]
			if got := s.post(t, one); got.status != want || (want == 429) != (got.header.Get("Retry-After") != "") {
				t.Errorf("request %d is answered with %d", i, got.status)
			}
		}
		if got := s.counted()["requests_limited"]; got != "1" {
			t.Errorf("requests_limited is %s", got)
		}
	})
}

func TestClients(t *testing.T) {
	c := newClients(10, 5)
	now := time.Unix(0, 0)
	try := func(address string) bool { return c.admit(address, now) == nil }
	for i := range 6 {
		if got := try("192.0.2.1:1000"); got != (i < 5) {
			t.Errorf("request %d of the burst: %v", i, got)
		}
	}
	if !try("192.0.2.2:1000") || !try("[2001:db8::1]:1") {
		t.Error("another client is refused")
	}
	for range 4 {
		try("[2001:db8::2]:1")
	}
	if try("[2001:db8::3]:1") {
		t.Error("a network of IPv6 counts as many clients")
	}
	now = now.Add(100 * time.Millisecond)
	if !try("192.0.2.1:1000") || try("192.0.2.1:1000") {
		t.Error("after a tenth of a second there is not one request more")
	}
	for i := range 3 * maxClients {
		try(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	if n := len(c.buckets); n > maxClients {
		t.Errorf("the table holds %d clients", n)
	}
}

func TestAuthentication(t *testing.T) {
	const token, user, password = "t0ken", "anna", "pässword"
	s := prepare(t, "auth.tokenFile = /secret/token", "auth.user = "+user, "auth.password = "+password)
	write(t, s, "/secret/token", token+"\n")
	s.start(t)
	basic := func(user, password string) string {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(user, password)
		return "Authorization: " + r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		header string
		ok     bool
	}{
		{"Authorization: Bearer " + token, true},
		{"Authorization: bearer  " + token, true},
		{basic(user, password), true},
		{"X-None: 1", false},
		{"Authorization: Bearer", false},
		{"Authorization: Bearer x" + token, false},
		{"Authorization: Basic " + token, false},
		{basic(user, token), false},
		{basic("otto", password), false},
		{basic(user, ""), false},
	} {
		got := s.post(t, one, c.header)
		if want := map[bool]int{true: 200, false: 401}[c.ok]; got.status != want {
			t.Errorf("%q is answered with %d", c.header, got.status)
		}
		if challenges := got.header.Values("WWW-Authenticate"); !c.ok && len(challenges) != 2 {
			t.Errorf("%q is answered with the challenges %q", c.header, challenges)
		}
		if stored := s.out.take() != ""; stored != c.ok {
			t.Errorf("%q: stored is %v", c.header, stored)
		}
	}
	for _, secret := range []string{token, password} {
		if strings.Contains(s.log.String(), secret) {
			t.Errorf("the log tells a secret:\n%s", s.log)
		}
	}
	if got := s.counted()["requests_unauthorized"]; got != "7" {
		t.Errorf("requests_unauthorized is %s", got)
	}
}

func write(t *testing.T, s *subject, name, text string) {
	t.Helper()
	if err := s.fs.MkdirAll("/secret", 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := s.fs.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.WriteString(f, text); err != nil {
		t.Fatal(err)
	}
}

func TestSecretFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"missing": {"", "no such file"},
		"empty":   {" \n", "is empty"},
		"large":   {strings.Repeat("x", 5000), "more than 4096 bytes"},
	} {
		s := prepare(t, "auth.tokenFile = /secret/token")
		if name != "missing" {
			write(t, s, "/secret/token", c.text)
		}
		err := s.Run(t.Context(), s.out)
		if err == nil || !strings.Contains(err.Error(), "auth.tokenFile") || name != "missing" && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Run returned %v", name, err)
		}
	}
}

func TestIdempotency(t *testing.T) {
	s := begin(t, "idempotencyKeys = 2")
	step := func(key, body string, status int, stored string) {
		t.Helper()
		got := s.post(t, body, "Idempotency-Key: "+key)
		if got.status != status {
			t.Errorf("key %s with %s is answered with %d, not %d: %s", key, body, got.status, status, got.body)
		}
		if events := s.out.take(); events != stored {
			t.Errorf("key %s with %s: stored %q, not %q", key, body, events, stored)
		}
	}
	s.out.fail = func(_ context.Context, call int) error {
		return map[bool]error{true: flow.ErrFull}[call == 1]
	}
	step("a", `[{"body":"1"}]`, 503, "")
	step("a", `[{"body":"1"}]`, 200, "{} 1")
	step("a", `[{"body":"1"}]`, 200, "")
	step("a", `[{"body":"2"}]`, 422, "")
	step("bad", `[`, 400, "")
	step("b", `[{"body":"2"}]`, 200, "{} 2")
	step("c", `[{"body":"3"}]`, 200, "{} 3")
	step("a", `[{"body":"1"}]`, 200, "{} 1") // two keys are remembered, and this was the third
	step("c", `[{"body":"3"}]`, 200, "")
	step(strings.Repeat("x", 256), one, 400, "")
	if got := s.counted()["requests_repeated"]; got != "2" {
		t.Errorf("requests_repeated is %s", got)
	}
	if n := len(s.keys.known); n != 2 {
		t.Errorf("%d keys are remembered", n)
	}
	if got := s.post(t, `[{"body":"3"}]`, "Idempotency-Key: c"); got.header.Get("Idempotency-Replayed") != "true" {
		t.Error("a repeated answer does not say so")
	}
}

func TestIdempotencyUnderWay(t *testing.T) {
	s := begin(t, "idempotencyKeys = 10")
	inside, gate := make(chan struct{}), make(chan struct{})
	s.out.fail = func(context.Context, int) error {
		close(inside)
		<-gate
		return nil
	}
	first := make(chan reply, 1)
	go func() { first <- s.post(t, one, "Idempotency-Key: k") }()
	<-inside
	if got := s.post(t, one, "Idempotency-Key: k"); got.status != 409 || got.header.Get("Retry-After") == "" {
		t.Errorf("the same request at the same time is answered with %d", got.status)
	}
	close(gate)
	if got := <-first; got.status != 200 {
		t.Errorf("the first is answered with %d", got.status)
	}
	if got := s.post(t, one, "Idempotency-Key: k"); got.status != 200 || s.out.take() != "{} a" {
		t.Errorf("the request after it is answered with %d", got.status)
	}
}

// TestBrokenRequests sends what is no HTTP, or not all of it. Each is answered, and
// a connection that goes on meanwhile is not harmed.
func TestBrokenRequests(t *testing.T) {
	s := begin(t, "ServerConnector.idleTimeout = 300")
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for name, c := range map[string]struct{ text, want string }{
		"fine":                  {head + "Content-Length: 2\r\nConnection: close\r\n\r\n[]", "200"},
		"nonsense":              {"nonsense\r\n\r\n", "400"},
		"two lengths":           {head + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n[]", "400"},
		"negative length":       {head + "Content-Length: -1\r\n\r\n", "400"},
		"length of letters":     {head + "Content-Length: x\r\n\r\n", "400"},
		"length and chunks":     {head + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
		"less than the length":  {head + "Content-Length: 100\r\n\r\n[{}", "400"},
		"chunks of nonsense":    {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n", "400"},
		"chunks cut off":        {head + "Transfer-Encoding: chunked\r\n\r\n5\r\n[{", "400"},
		"unknown coding":        {head + "Transfer-Encoding: rot13\r\n\r\n", "501"},
		"header without colon":  {head + "nothing\r\n\r\n", "400"},
		"control in header":     {head + "X: a\x00b\r\n\r\n", "400"},
		"header too long":       {head + "X: " + strings.Repeat("x", 20000) + "\r\n\r\n", "431"},
		"unknown expectation":   {head + "Expect: miracles\r\n\r\n", "417"},
		"no host":               {"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", "400"},
		"bad path":              {"POST /%zz HTTP/1.1\r\nHost: x\r\n\r\n", "400"},
		"other version":         {"POST / HTTP/3.7\r\nHost: x\r\n\r\n", "505"},
		"HTTP/2 without TLS":    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "501"},
		"everything, any path":  {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "403"},
		"a tunnel":              {"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", "501"},
		"JSON of another shape": {head + "Content-Length: 4\r\nConnection: close\r\n\r\ntrue", "400"},
	} {
		answer := s.raw(t, c.text)
		if _, rest, _ := strings.Cut(answer, " "); !strings.HasPrefix(rest, c.want) {
			t.Errorf("%s is answered with %.80q, not %s", name, answer, c.want)
		}
	}
	s.out.take()
	if got := s.post(t, one); got.status != 200 || s.out.take() != "{} a" {
		t.Errorf("afterwards a good request is answered with %d", got.status)
	}
	if n := strings.Count(s.log.String(), "level=WARN"); n > 3 {
		t.Errorf("%d warnings:\n%s", n, s.log)
	}
}

// TestSlowClients has contents that do not come: one stops, one drips.
func TestSlowClients(t *testing.T) {
	s := begin(t, "ServerConnector.idleTimeout = 200", "requestTimeout = 1")
	const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[{"
	c := s.dial(t)
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(c); !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
		t.Errorf("content that stops is answered with %.60q", answer)
	}
	c = s.dial(t)
	if _, err := io.WriteString(c, head); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if _, err := io.WriteString(c, " "); err != nil {
					return
				}
			case <-stop:
				return
			}
		}
	}()
	buf := make([]byte, 100)
	n, _ := io.ReadAtLeast(c, buf, 12)
	close(stop)
	if !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 408") {
		t.Errorf("content that drips is answered with %.60q", buf[:n])
	}
}

// TestStopWhileReading stops the source while contents are on their way.
func TestStopWhileReading(t *testing.T) {
	s := begin(t)
	c := s.dial(t)
	if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n[{"); err != nil {
		t.Fatal(err)
	}
	for s.memory.used.Load() == 0 { // until it is being read
		flow.Sleep(t.Context(), time.Millisecond)
	}
	begin := time.Now()
	s.stop()
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if answer, _ := io.ReadAll(c); !strings.HasPrefix(string(answer), "HTTP/1.1 503") || !strings.Contains(string(answer), "Connection: close") {
		t.Errorf("the request was answered with %q", answer)
	}
}
