//go:build e2e

package e2e

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flume-go/flume/e2e/harness"
	flume "github.com/flume-go/flume/event"
	avrowire "github.com/flume-go/flume/wire/avro"
	thriftwire "github.com/flume-go/flume/wire/thrift"
)

// nonsense is something that is no request.
type nonsense struct {
	name   string
	source string // who gets it
	agreed bool   // behind a handshake of Avro's
	bytes  []byte
	end    ending
}

// ending is what becomes of nonsense.
type ending int

const (
	told    ending = iota // the log has a line
	replied               // the protocol has an answer to it
	gone                  // the client seems to have died
)

// memoryForNonsense is how much memory all nonsense together may take: what the limits of the agent's sources allow, and
// what the runtime keeps of it.
const memoryForNonsense = 64 << 20

// TestHopMalformed sends each kind of nonsense three times, from an address of its own, to sources of a running agent: each connection is
// ended, or answered, and the log has one line for the address. Good clients go on sending to the same sources and are always served. The
// agent's memory stays bounded.
func TestHopMalformed(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	stores, err := filepath.Abs("../internal/tlsconf/testdata")
	if err != nil {
		t.Fatal(err)
	}
	secure := []string{"ssl = true", "keystore = " + filepath.Join(stores, "server.jks"), "keystore-password = changeit"}
	bounds := []string{"max-request-size = 4194304", "max-memory = 16777216"}
	var c topology
	for _, s := range []struct {
		name     string
		settings []string
	}{
		{"avro", append([]string{"type = avro"}, bounds...)},
		{"avro-deflate", append([]string{"type = avro", "compression-type = deflate"}, bounds...)},
		{"avro-tls", slices.Concat([]string{"type = avro"}, bounds, secure)},
		{"avro-both", slices.Concat([]string{"type = avro", "compression-type = deflate"}, bounds, secure)},
		{"thrift", []string{"type = thrift"}},
		{"thrift-tls", append([]string{"type = thrift"}, secure...)},
	} {
		c.source(s.name, s.name, "bind = 127.0.0.1", "port = <port "+s.name+">")
		c.add("sources", s.name, s.settings...)
		c.channel(s.name, "type = memory", "capacity = 10000")
		c.sink(s.name, s.name, "type = null")
	}
	agent := startSyslogAgent(t, site, c)
	good := startGoodClients(t, site)
	before := peakBytes(t, agent.Pid())
	all := slices.Concat(avroNonsense(t), thriftNonsense(t), layerNonsense(t))
	for i, n := range all {
		for range 3 {
			if err := n.send(t.Context(), site.Addr(n.source), peer(i)); err != nil {
				t.Errorf("%s to %s: %v", n.name, n.source, err)
			}
		}
	}
	if sent := good.stop(t); sent["avro"] < len(all) || sent["thrift"] < len(all) {
		t.Errorf("good clients were served %v times in all the time", sent)
	}
	more := peakBytes(t, agent.Pid()) - before
	t.Logf("%d kinds of nonsense; the peak of memory rose from %d MiB by %d MiB", len(all), before>>20, more>>20)
	if more > memoryForNonsense {
		t.Errorf("nonsense took %d MiB of memory", more>>20)
	}
	log := agent.Output()
	for i, n := range all {
		want := 0
		if n.end == told {
			want = 1
		}
		var lines []string
		for line := range strings.Lines(log) {
			if strings.Contains(line, "client="+peer(i)+":") {
				lines = append(lines, line)
			}
		}
		if len(lines) != want {
			t.Errorf("%s to %s, three times: %d lines in the log, want %d:\n%s", n.name, n.source, len(lines), want, strings.Join(lines, ""))
		}
	}
	agent.Stop(t)
}

// peer is the address from which a kind of nonsense comes.
func peer(i int) string { return fmt.Sprintf("127.1.%d.%d", i/200, 1+i%200) }

// dialFrom returns a dialer with an own address.
func dialFrom(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: 10 * time.Second}
}

// send sends it and waits until the source has ended the connection.
func (n *nonsense) send(ctx context.Context, addr, from string) error {
	conn, err := n.connect(ctx, addr, from)
	if err != nil {
		return fmt.Errorf("connecting: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	// The source may end the connection before it has all.
	if _, err := conn.Write(n.bytes); err == nil {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	answer, err := io.ReadAll(conn)
	if os.IsTimeout(err) {
		return fmt.Errorf("the connection is still open after 20 s")
	}
	if n.end == replied && len(answer) == 0 {
		return fmt.Errorf("there is no answer: %v", err)
	}
	return nil
}

// connect connects, and goes through the handshake if there is to be one.
func (n *nonsense) connect(ctx context.Context, addr, from string) (net.Conn, error) {
	dialer := dialFrom(from)
	if !n.agreed {
		return dialer.DialContext(ctx, "tcp", addr)
	}
	shaken := &tapped{}
	c, err := avrowire.Dial(ctx, avrowire.Options{Address: addr, Dial: shaken.dial(dialer)})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(shaken.sent.Bytes()); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, make([]byte, shaken.received.Len())); err != nil {
		return nil, err
	}
	return conn, nil
}

// tapped is a connection that keeps what passes.
type tapped struct {
	net.Conn
	mu             sync.Mutex
	sent, received bytes.Buffer
}

// dial returns a function that connects the tapped.
func (r *tapped) dial(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		r.Conn, err = d.DialContext(ctx, network, address)
		return r, err
	}
}

// already returns a function that connects to where a connection leads.
func already(conn net.Conn) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return conn, nil }
}

func (r *tapped) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.received.Write(p[:n])
	return n, err
}

func (r *tapped) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.sent.Write(p)
	r.mu.Unlock()
	return r.Conn.Write(p)
}

// peakBytes is the most memory that a process had.
func peakBytes(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatalf("reading VmHWM: %v", err)
	}
	return kib << 10
}

// goodClients send all the time.
type goodClients struct {
	cancel context.CancelFunc
	wg     sync.WaitGroup
	mu     sync.Mutex
	sent   map[string]int // batches that were answered, by source
	errs   []error
}

// startGoodClients starts a client for each of the plain sources, on a connection that lasts.
func startGoodClients(t *testing.T, site *harness.Site) *goodClients {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	g := &goodClients{cancel: cancel, sent: map[string]int{}}
	a, err := avrowire.Dial(ctx, avrowire.Options{Address: site.Addr("avro")})
	if err != nil {
		t.Fatal(err)
	}
	conn := harness.Dial(t, site.Addr("thrift"))
	b := flume.NewBatch()
	b.AppendCopy([]byte("good"))
	size := thriftwire.EventSize(b.At(0))
	g.repeat(ctx, "avro", func() error { return a.AppendBatch(t.Context(), b, nil) })
	c := thriftwire.NewClient(conn, thriftwire.Compact)
	g.repeat(ctx, "thrift", func() error {
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		status, err := c.AppendBatch(b, 0, 1, size)
		if err == nil && status != thriftwire.StatusOK {
			err = fmt.Errorf("the source answers %v", status)
		}
		return err
	})
	t.Cleanup(func() {
		cancel()
		g.wg.Wait()
		_ = a.Close() // nothing is under way
		conn.Close()
		b.Release()
	})
	return g
}

// repeat calls send until ctx ends or it fails.
func (g *goodClients) repeat(ctx context.Context, name string, send func() error) {
	g.wg.Go(func() {
		for ctx.Err() == nil {
			err := send()
			g.mu.Lock()
			if err != nil {
				g.errs = append(g.errs, fmt.Errorf("%s: %w", name, err))
				g.mu.Unlock()
				return
			}
			g.sent[name]++
			g.mu.Unlock()
			pass(ctx, 5*time.Millisecond)
		}
	})
}

// stop ends the clients and returns how often each was served. It fails the test if one of them was not.
func (g *goodClients) stop(t *testing.T) map[string]int {
	t.Helper()
	g.cancel()
	g.wg.Wait()
	for _, err := range g.errs {
		t.Errorf("a good client was not served: %v", err)
	}
	return g.sent
}

// frame is a frame of Avro's with these buffers.
func frame(buffers ...[]byte) []byte {
	p := binary.BigEndian.AppendUint32(nil, 1)
	p = binary.BigEndian.AppendUint32(p, uint32(len(buffers)))
	for _, b := range buffers {
		p = binary.BigEndian.AppendUint32(p, uint32(len(b)))
		p = append(p, b...)
	}
	return p
}

// request is a frame with a call behind the handshake.
func request(message string, parameters ...[]byte) []byte {
	p := append([]byte{0}, text(message)...)
	return frame(append(p, bytes.Join(parameters, nil)...))
}

// long, text and big are encodings of Avro and of binary numbers.
func long(n int64) []byte    { return binary.AppendVarint(nil, n) }
func text(s string) []byte   { return append(long(int64(len(s))), s...) }
func big(n uint32) []byte    { return binary.BigEndian.AppendUint32(nil, n) }
func be16(n uint16) []byte   { return binary.BigEndian.AppendUint16(nil, n) }
func zeros(n int) []byte     { return make([]byte, n) }
func all(p ...[]byte) []byte { return bytes.Join(p, nil) }

// avroNonsense is what avro sources must bear.
func avroNonsense(t *testing.T) (list []nonsense) {
	t.Helper()
	shake := func(rest ...[]byte) []byte { return frame(append(zeros(16), all(rest...)...)) }
	protocol := func(s string) []byte { return shake(long(1), text(s), zeros(16), long(0), []byte{0, 0}) }
	for _, n := range []struct {
		name  string
		bytes []byte
		end   ending
	}{
		{"a frame of 2 GiB in buffers", all(big(1), big(math.MaxInt32), zeros(100)), told},
		{"a frame of a negative number of buffers", all(big(1), big(math.MaxUint32)), told},
		{"a frame of no buffers", all(big(1), big(0)), told},
		{"a buffer of 2 GiB", all(big(1), big(1), big(math.MaxInt32), zeros(1000)), told},
		{"a buffer of negative length", all(big(1), big(1), big(math.MaxUint32), zeros(1000)), told},
		{"a thousand empty buffers", all(big(1), big(1000), zeros(4000)), told},
		{"half a head", zeros(5), told},
		{"half a handshake", frame(zeros(10)), told},
		{"a handshake that is cut off", shake(long(0), zeros(16))[:30], told},
		{"a protocol of negative length", shake(long(1), long(-5), zeros(100)), told},
		{"a protocol of 1 TiB", shake(long(1), long(1<<40), zeros(100)), told},
		{"a protocol that is no JSON", protocol("{]"), replied},
		{"a protocol of a hundred thousand brackets", protocol(strings.Repeat("[", 100_000)), told},
		{"a protocol of nested types", protocol(`{"protocol":"x","types":[` +
			strings.Repeat(`{"type":"array","items":`, 20_000) + `"int"` + strings.Repeat("}", 20_000) + `]}`), told},
		{"a union of a branch that is not there", shake(long(99), zeros(40)), told},
		{"a varint without end", shake(bytes.Repeat([]byte{0xff}, 40)), told},
		{"a web browser", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), told},
		{"garbage", bytes.Repeat([]byte("\xa5\x17garbage"), 1000), told},
		{"zeros", zeros(100_000), told},
	} {
		list = append(list, nonsense{name: n.name, source: "avro", bytes: n.bytes, end: n.end})
	}
	event := func(headers []byte, body ...[]byte) []byte { return append(slices.Clone(headers), all(body...)...) }
	for _, n := range []struct {
		name  string
		bytes []byte
		end   ending
	}{
		{"metadata of 1e9 entries", frame(all(long(1e9), zeros(50))), told},
		{"metadata of negative length", frame(all(long(1), long(-1), zeros(50))), told},
		{"a message that is not there", request("appendAll"), told},
		{"a message of a megabyte's name", request(strings.Repeat("a", 1<<20)), told},
		{"a name of negative length", frame(all(long(0), long(-9), zeros(50))), told},
		{"1e9 events", request("appendBatch", long(1e9), zeros(50)), told},
		{"-1e9 events", request("appendBatch", long(-1e9), long(50), zeros(50)), told},
		{"the least number of events", request("appendBatch", long(math.MinInt64), long(50), zeros(50)), told},
		{"two million empty events", request("appendBatch", long(2e6-1000), zeros(4e6-2000), long(0)), told},
		{"1e9 headers", request("append", long(1e9), zeros(50)), told},
		{"-1e9 headers", request("append", long(-1e9), long(math.MaxInt64), zeros(50)), told},
		{"a header of 2 GiB", request("append", event(long(1), long(math.MaxInt32), zeros(50))), told},
		{"a header of negative length", request("append", event(long(1), long(-1), zeros(50))), told},
		{"a body of 2 GiB", request("append", event(long(0), long(math.MaxInt32), zeros(50))), told},
		{"a body of negative length", request("append", event(long(0), long(math.MinInt64), zeros(50))), told},
		{"a request over the limit", request("append", event(long(0), long(8<<20), zeros(8<<20))), told},
		{"a request that is cut off", request("append", event(long(0), text("hello")))[:20], told},
		{"a request without parameters", request("appendBatch"), told},
		{"a varint of eleven bytes", request("appendBatch", bytes.Repeat([]byte{0x80}, 10), []byte{1}, zeros(50)), told},
	} {
		list = append(list, nonsense{name: n.name, source: "avro", agreed: true, bytes: n.bytes, end: n.end})
	}
	return list
}

// thriftNonsense is what thrift sources must bear.
func thriftNonsense(t *testing.T) (list []nonsense) {
	t.Helper()
	framed := func(p ...[]byte) []byte { return append(big(uint32(len(all(p...)))), all(p...)...) }
	// Binary protocol: version and type, name, number, then fields: type (1), identifier (2), value.
	binary := func(rest ...[]byte) []byte {
		return framed(big(0x80010001), big(11), []byte("appendBatch"), big(1), all(rest...))
	}
	list15 := func(of byte, n uint32) []byte { return all([]byte{15}, be16(1), []byte{of}, big(n)) }
	// Compact protocol: protocol, version and type, varint number, name, then fields.
	compact := func(rest ...[]byte) []byte {
		return framed([]byte{0x82, 0x21, 1, 11}, []byte("appendBatch"), all(rest...))
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x07} // varint of 2 GiB - 1
	for _, n := range []struct {
		name  string
		bytes []byte
		end   ending
	}{
		{"a frame of 2 GiB", all(big(math.MaxInt32), zeros(1000)), told},
		{"a frame of negative length", all(big(math.MaxUint32), zeros(1000)), told},
		{"an empty frame", big(0), told},
		{"a frame that is cut off", binary(list15(12, 1))[:20], gone},
		{"a name of 2 GiB, binary", framed(big(0x80010001), big(math.MaxInt32), zeros(50)), told},
		{"a name of negative length, binary", framed(big(0x80010001), big(math.MaxUint32), zeros(50)), told},
		{"another version, binary", framed(big(0x80990001), zeros(50)), told},
		{"1e9 events, binary", binary(list15(12, 1e9), zeros(50)), told},
		{"-1 events, binary", binary(list15(12, math.MaxUint32), zeros(50)), told},
		{"events that are numbers, binary", binary(list15(8, 2), zeros(50)), replied},
		{"1e9 headers, binary", binary(list15(12, 1), []byte{13}, be16(1), []byte{11, 11}, big(1e9), zeros(50)), told},
		{"-1 headers, binary", binary(list15(12, 1), []byte{13}, be16(1), []byte{11, 11}, big(math.MaxUint32), zeros(50)), told},
		{"a header of 2 GiB, binary", binary(list15(12, 1), []byte{13}, be16(1), []byte{11, 11}, big(1), big(math.MaxInt32), zeros(50)), told},
		{"a body of 2 GiB, binary", binary(list15(12, 1), []byte{11}, be16(2), big(math.MaxInt32), zeros(50)), told},
		{"a body of negative length, binary", binary(list15(12, 1), []byte{11}, be16(2), big(math.MaxUint32), zeros(50)), told},
		{"a hundred thousand structs in each other, binary", binary(bytes.Repeat([]byte{12, 0, 99}, 100_000)), told},
		{"a hundred thousand lists in each other, binary", binary([]byte{15, 0, 99}, bytes.Repeat([]byte{15, 0, 0, 0, 1}, 100_000)), told},
		{"a type that is not there, binary", binary([]byte{77, 0, 1}, zeros(50)), told},
		{"a name of 2 GiB, compact", framed([]byte{0x82, 0x21, 1}, huge, zeros(50)), told},
		{"another version, compact", framed([]byte{0x82, 0x3f, 1}, zeros(50)), told},
		{"1e9 events, compact", compact([]byte{0x19, 0xfc}, huge, zeros(50)), told},
		{"1e9 headers, compact", compact([]byte{0x19, 0x1c, 0x1b}, huge, []byte{0x88}, zeros(50)), told},
		{"a body of 2 GiB, compact", compact([]byte{0x19, 0x1c, 0x28}, huge, zeros(50)), told},
		{"a hundred thousand structs in each other, compact", compact(bytes.Repeat([]byte{0x1c}, 100_000)), told},
		{"a hundred thousand lists in each other, compact", compact([]byte{0x99}, bytes.Repeat([]byte{0x19}, 100_000)), told},
		{"a varint without end, compact", framed([]byte{0x82, 0x21}, bytes.Repeat([]byte{0xff}, 50)), told},
		{"a web browser", []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), told},
		{"garbage", bytes.Repeat([]byte("\xa5\x17garbage"), 1000), told},
		{"garbage in a frame", framed(bytes.Repeat([]byte("\xa5\x17garbage"), 1000)), told},
		{"a frame of zeros", framed(zeros(100_000)), replied},
	} {
		list = append(list, nonsense{name: n.name, source: "thrift", bytes: n.bytes, end: n.end})
	}
	return list
}

// layerNonsense is what comes in a layer that is another one, or in the right layer and is too much.
func layerNonsense(t *testing.T) (list []nonsense) {
	t.Helper()
	hello := clientHello(t)
	add := func(source, name string, bytes []byte) {
		list = append(list, nonsense{name: name, source: source, bytes: bytes})
	}
	list = append(list, nonsense{name: "half a head", source: "avro-deflate", bytes: []byte{0x78}, end: gone})
	for _, source := range []string{"avro", "avro-deflate", "thrift"} {
		add(source, "TLS", hello)
	}
	for _, source := range []string{"avro-tls", "thrift-tls", "avro-both"} {
		add(source, "no TLS", frame(zeros(100)))
		add(source, "half a handshake of TLS", hello[:len(hello)/2])
		add(source, "a record of TLS of the wrong length", append([]byte{0x16, 3, 1, 0xff, 0xff}, zeros(70_000)...))
		add(source, "garbage behind a good hello", append(slices.Clone(hello), bytes.Repeat([]byte{0xa5}, 50_000)...))
	}
	add("avro", "compressed", deflated(t, frame(zeros(100))))
	add("avro-deflate", "not compressed", frame(zeros(100)))
	add("avro-deflate", "a damaged stream", append([]byte{0x78, 0x9c}, bytes.Repeat([]byte{0xff, 0x13}, 5000)...))
	add("avro-deflate", "a dictionary", append([]byte{0x78, 0xbb}, zeros(100)...))
	add("avro-deflate", "a bomb of zeros", deflated(t, zeros(256<<20)))
	add("avro-deflate", "a bomb in one buffer", deflated(t, append(all(big(1), big(1), big(math.MaxInt32)), zeros(256<<20)...)))
	add("avro-deflate", "a bomb in a protocol", deflated(t, append(all(big(1), big(1), big(4_000_000), zeros(16), long(1), long(3_900_000)), zeros(4_000_000)...)))
	return list
}

// deflated compresses.
func deflated(t *testing.T, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// clientHello returns how a client begins TLS.
func clientHello(t *testing.T) []byte {
	t.Helper()
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		c := tls.Client(here, &tls.Config{ServerName: "localhost"})
		_ = c.Handshake() // nobody answers
		c.Close()
	}()
	p := make([]byte, 4096)
	n, err := there.Read(p)
	if err != nil {
		t.Fatal(err)
	}
	return p[:n]
}
