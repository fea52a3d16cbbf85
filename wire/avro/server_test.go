package avro

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/flume-go/flume/event"
)

// unhex reads bytes that are written with spaces and bars between.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	p, err := hex.DecodeString(strings.NewReplacer(" ", "", "|", "", "\n", "", "\t", "").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// cut makes a frame of a payload in buffers of n bytes.
func cut(serial uint32, payload []byte, n int) []byte {
	p := binary.BigEndian.AppendUint32(nil, serial)
	p = binary.BigEndian.AppendUint32(p, uint32((len(payload)+n-1)/n))
	for len(payload) > 0 {
		some := min(n, len(payload))
		p = binary.BigEndian.AppendUint32(p, uint32(some))
		p = append(p, payload[:some]...)
		payload = payload[some:]
	}
	return p
}

// join returns the serial and the payload of the frame at the front of p, and the
// rest of p.
func join(t testing.TB, p []byte) (serial uint32, payload, rest []byte) {
	t.Helper()
	serial, n, p := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:]), p[8:]
	for range n {
		size := binary.BigEndian.Uint32(p)
		payload = append(payload, p[4:4+size]...)
		p = p[4+size:]
	}
	return serial, payload, p
}

const (
	hash1Hex = "86aadae2c45474c0fe93ffd0f2350a65"
	// agree is a handshake as Java's clients send it.
	agree = hash1Hex + "00" + hash1Hex + "0200"
)

// raw connects without a client.
func raw(t testing.TB, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends bytes and returns all that comes back before the server closes the
// connection, as it does at the end of what was sent.
func ask(t testing.TB, addr string, request []byte) []byte {
	t.Helper()
	conn := raw(t, addr)
	if _, err := conn.Write(request); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestJavaBytes sends what Java's clients send and compares payloads with what Java's
// servers answer.
func TestJavaBytes(t *testing.T) {
	h := new(store)
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	got := ask(t, addr, unhex(t, `
		00000001 00000002
		0000002b `+agree+` | 00 | 0c 617070656e64
		00000009 02 02 6b 02 76 00 | 04 6869
		00000002 00000002  00000008 00 0c617070656e64   00000004 00 04796f
		00000003 00000002  0000000d 00 16 617070656e644261746368   0000000a 02 02 0261 0262 00 02 31 00`))
	for i, want := range []string{"00 00 00 00 00 00 00", "00 00 00", "00 00 00"} {
		serial, payload, rest := join(t, got)
		if serial != uint32(i+1) || !bytes.Equal(payload, unhex(t, want)) {
			t.Errorf("answer %d is %x with number %d, not %s", i+1, payload, serial, want)
		}
		got = rest
	}
	if len(got) > 0 {
		t.Errorf("behind the answers there is %x", got)
	}
	b := event.NewBatch()
	defer b.Release()
	b.SetHeader(b.Append([]byte("hi")), "k", "v")
	b.Append([]byte("yo"))
	b.SetHeader(b.Append([]byte("1")), "a", "b")
	equal(t, b, h.events())
}

// request is the payload of an appendBatch of the events, without a handshake.
func request(b *event.Batch) []byte {
	p := appendString([]byte{0}, messageBatch)
	if b.Len() > 0 {
		p = appendLong(p, int64(b.Len()))
		for i := range b.Len() {
			p = encoded(p, b.At(i))
		}
	}
	return append(p, 0)
}

// TestCuts: where a payload is cut into buffers has no meaning, nor how it arrives.
func TestCuts(t *testing.T) {
	b := batchOf(t, 30, 300, 3)
	b.SetBody(b.At(7), bytes.Repeat([]byte("large"), 40_000))
	payload := append(unhex(t, agree), request(b)...)
	for _, n := range []int{1, 2, 3, 7, 100, 4095, 8192, 65536, len(payload)} {
		h := new(store)
		addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
		_, got, _ := join(t, ask(t, addr, cut(9, payload, n)))
		if want := unhex(t, "00000000 000000"); !bytes.Equal(got, want) {
			t.Fatalf("cut into pieces of %d bytes, the request is answered with %x", n, got)
		}
		equal(t, b, h.events())
	}
}

// TestBlocks: maps and arrays may come in several blocks, with their sizes or without.
func TestBlocks(t *testing.T) {
	h := new(store)
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	payload := unhex(t, agree+`00 16 617070656e644261746368
		01 14  01 08 0261 0262 02 0263 0264 00 0231
		04     00 0232   02 0263 0264 02 0263 0265 00 0233
		00`)
	if _, got, _ := join(t, ask(t, addr, cut(1, payload, 1000))); !bytes.Equal(got, unhex(t, "00000000 000000")) {
		t.Errorf("answered with %x", got)
	}
	b := event.NewBatch()
	defer b.Release()
	e := b.Append([]byte("1"))
	b.SetHeader(e, "a", "b")
	b.SetHeader(e, "c", "d")
	b.Append([]byte("2"))
	b.SetHeader(b.Append([]byte("3")), "c", "e") // the last one of a name counts
	equal(t, b, h.events())
}

// TestMalformed: a request that is not what it should be is answered with an error,
// and the next one on the connection works.
func TestMalformed(t *testing.T) {
	const batch = "00 16 617070656e644261746368"
	for name, c := range map[string]struct{ payload, says string }{
		"unknown message":    {"00 06 666f6f", `no message "foo"`},
		"short":              {batch + "02 00 0a 31", "ends within a value"},
		"no events":          {batch, "ends within a value"},
		"negative body":      {batch + "02 00 01 31 00", "a body of -1 bytes"},
		"huge body":          {batch + "02 00 feffffff0f 31 00", "a body of 2147483647 bytes"},
		"number without end": {batch + "ffffffffffffffffffffffff", "more than 64 bits"},
		"endless block":      {batch + "ffffffffffffffffff01 00", "a block of"},
		"negative name":      {batch + "02 02 01 0000 00", "a header's name of -1 bytes"},
		"metadata too large": {"02 02 61 8080807f", "metadata of"},
		"name too long":      {"00 ffff01", "the name of a message of -16384 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			h := new(store)
			addr, ended := serve(t, NewServer(h, false, nil, Limits{}))
			all := append(cut(1, unhex(t, agree+c.payload), 100), cut(2, unhex(t, batch+"02 00 02 31 00"), 100)...)
			got := ask(t, addr, all)
			_, first, rest := join(t, got)
			if !bytes.HasPrefix(first, unhex(t, "00000000 00 01 00")) || !strings.Contains(string(first), c.says) {
				t.Errorf("answered with %q, which does not say %q", first, c.says)
			}
			if _, second, _ := join(t, rest); !bytes.Equal(second, []byte{0, 0, 0}) {
				t.Errorf("the next request is answered with %x", second)
			}
			if err := <-ended; err != nil {
				t.Errorf("the connection ended with %v", err)
			}
			if len(h.refused) != 1 || len(h.events()) != 1 {
				t.Errorf("%d requests are refused, %d events stored", len(h.refused), len(h.events()))
			}
		})
	}
}

// TestNoFrames: what cannot be a frame ends the connection with a reason, and stores
// nothing.
func TestNoFrames(t *testing.T) {
	ok := agree + "00 16 617070656e644261746368 02 00 02 31 00"
	for name, c := range map[string]struct {
		bytes []byte
		says  string
	}{
		"no buffers":       {unhex(t, "00000001 00000000"), "a frame of 0 buffers"},
		"negative buffers": {unhex(t, "00000001 ffffffff"), "a frame of -1 buffers"},
		"too many buffers": {unhex(t, "00000001 7fffffff"), "not Flume's Avro protocol"},
		"huge buffer":      {unhex(t, "00000001 00000001 7fffffff 00"), "more than 1048576 bytes"},
		"negative buffer":  {unhex(t, "00000001 00000001 80000000 00"), "a buffer of -2147483648 bytes"},
		"HTTP":             {[]byte("GET / HTTP/1.1\r\n\r\n"), "not Flume's Avro protocol"},
		"TLS":              {unhex(t, "16030100c8010000c40303"), "not Flume's Avro protocol"},
		"too large":        {cut(1, append(unhex(t, agree), request(batchOf(t, 3, 400_000, 0))...), 8192), "more than 1048576 bytes"},
		"too many events":  {cut(1, append(unhex(t, agree), request(batchOf(t, 40_000, 0, 0))...), 8192), "takes more than 1048576 bytes"},
		"cut off":          {cut(1, unhex(t, ok), 100)[:50], "unexpected EOF"},
		"cut off at last":  {append(unhex(t, "00000001 00000002 "), append(cut(0, unhex(t, ok), 100)[8:], 0, 0)...), "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			h := new(store)
			addr, ended := serve(t, NewServer(h, false, nil, Limits{Request: 1 << 20}))
			conn := raw(t, addr)
			// The server may close the connection before it has read all.
			_, _ = conn.Write(c.bytes)
			_ = conn.(*net.TCPConn).CloseWrite()
			if err := <-ended; err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the connection ended with %v, which does not say %q", err, c.says)
			}
			if n := len(h.events()); n > 0 {
				t.Errorf("%d events are stored", n)
			}
		})
	}
}

// TestHandshakes: each way to agree.
func TestHandshakes(t *testing.T) {
	const call = "00 16 617070656e644261746368 02 00 02 31 00"
	const other = "00112233445566778899aabbccddeeff"
	hello := hex.EncodeToString(appendString(nil, text))
	strange := hex.EncodeToString(appendString(nil, strings.Replace(text, "AvroFlumeEvent\",\"fields\":[", "AvroFlumeEvent\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"},", 1)))
	ours := "02" + hello + "02" + hex.EncodeToString(hashText[:]) + "00"
	for name, c := range map[string]struct{ requests, answers []string }{
		"1.x":               {[]string{agree + call}, []string{"00000000 000000"}},
		"2.0":               {[]string{hex.EncodeToString(hash2[:]) + "00" + hex.EncodeToString(hash2[:]) + "0200" + call}, []string{"00000000 000000"}},
		"without metadata":  {[]string{hash1Hex + "00" + hash1Hex + "00" + call}, []string{"00000000 000000"}},
		"with metadata":     {[]string{hash1Hex + "00" + hash1Hex + "02 02 0261 0262 00" + call}, []string{"00000000 000000"}},
		"another server":    {[]string{hash1Hex + "00" + other + "0200" + call, call}, []string{"02" + ours + "000000", "000000"}},
		"unknown":           {[]string{other + "00" + hash1Hex + "0200" + call, other + "02" + hello + hex.EncodeToString(hashText[:]) + "0200" + call, call}, []string{"04" + ours, "00000000 000000", "000000"}},
		"with text":         {[]string{other + "02" + hello + hash1Hex + "0200" + call}, []string{"00000000 000000"}},
		"ping":              {[]string{agree + "0000", call}, []string{"00000000", "000000"}},
		"ping in between":   {[]string{agree + call, "0000", call}, []string{"00000000 000000", "", "000000"}},
		"another structure": {[]string{other + "02" + strange + hash1Hex + "0200" + call, call}, []string{"00000000 000100 *", "000100 *"}},
		"bad handshake":     {[]string{hash1Hex + "05", agree + call}, []string{"000100 *", "00000000 000000"}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := serve(t, NewServer(new(store), false, nil, Limits{}))
			conn := raw(t, addr)
			for i, r := range c.requests {
				if _, err := conn.Write(cut(uint32(i), unhex(t, r), 8192)); err != nil {
					t.Fatal(err)
				}
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.answers {
				var payload []byte
				_, payload, got = join(t, got)
				prefix, open := strings.CutSuffix(want, "*")
				if p := unhex(t, prefix); !bytes.HasPrefix(payload, p) || !open && len(payload) != len(p) {
					t.Errorf("request %d is answered with\n%x, not\n%x", i, payload, p)
				}
			}
			if len(got) > 0 {
				t.Errorf("one more answer: %x", got)
			}
		})
	}
}

// TestKnownProtocol: what one client has declared another may refer to, with a server
// that remembers only so many.
func TestKnownProtocol(t *testing.T) {
	p := peers{protocol: current}
	for i := range maxPeers + 10 {
		h := hash{byte(i)}
		if _, ok := p.find(h); ok {
			t.Fatalf("hash %d is known before it was declared", i)
		}
		if err := p.declare(h, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if _, ok := p.find(h); ok != (i < maxPeers) {
			t.Errorf("hash %d is known: %v", i, ok)
		}
	}
}

// TestMemory: a request that finds no memory is answered with FAILED, and the
// connection goes on; what was taken is given back.
func TestMemory(t *testing.T) {
	h := new(store)
	s := NewServer(h, false, nil, Limits{Memory: 1 << 20})
	addr, _ := serve(t, s)
	c := connect(t, Options{Address: addr})
	for range 3 {
		err := c.AppendBatch(t.Context(), batchOf(t, 5, 400_000, 0), nil)
		if a, ok := isAnswer(err); !ok || a.Status != Failed {
			t.Fatalf("a batch that is too large is answered with %v", err)
		}
		if err := c.AppendBatch(t.Context(), batchOf(t, 5, 40_000, 0), nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(h.refused) != 3 || len(h.events()) != 15 {
		t.Errorf("%d requests are refused, %d events stored", len(h.refused), len(h.events()))
	}
	if n := s.memory.Load(); n != 0 {
		t.Errorf("%d bytes are still charged", n)
	}
}

// TestNothingSent: who connects and leaves again, as probes do, is no trouble.
func TestNothingSent(t *testing.T) {
	secure, _ := certificates()
	for _, s := range []*Server{
		NewServer(nothing{}, false, nil, Limits{}), NewServer(nothing{}, true, nil, Limits{}),
		NewServer(nothing{}, false, secure, Limits{}), NewServer(nothing{}, true, secure, Limits{}),
	} {
		addr, ended := serve(t, s)
		if got := ask(t, addr, nil); len(got) > 0 {
			t.Errorf("the server says %x by itself", got)
		}
		if err := <-ended; err != nil {
			t.Errorf("deflate %v, TLS %v: the connection ended with %v", s.deflate, s.secure != nil, err)
		}
	}
}
