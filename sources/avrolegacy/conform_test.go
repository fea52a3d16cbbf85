package avrolegacy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/flume-go/flume/conform/sourcetest"
	"github.com/flume-go/flume/internal/netio"
)

func TestConformance(t *testing.T) {
	sourcetest.Run(t, sourcetest.Harness{
		Type: "avrolegacy",
		Client: func(_ testing.TB, s *sourcetest.Subject) sourcetest.Client {
			return &poster{subject: s, transport: &http.Transport{}}
		},
		Network: "tcp",
		Listen: func(host string, port int) map[string]string {
			return map[string]string{"host": host, "port": strconv.Itoa(port)}
		},
		Acks:    true,
		Carries: true,
		Adds:    []string{"host", "timestamp", "pri", "nanos", "FlumeOG"},
		Grace:   netio.Grace,
		Sockets: true,
	})
}

// agree is a handshake of Apache Flume 1.x's protocol, and what stands before the
// parameters of append.
const (
	knownHash = "84f26a5a74af5726d8bc68105669c996"
	agree     = knownHash + "00" + knownHash + "0200"
	call      = "000c617070656e64"
)

func unhex(s string) []byte {
	p, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return p
}

func text(p []byte, s string) []byte {
	return append(binary.AppendVarint(p, int64(len(s))), s...)
}

// request is the payload of a call with an event.
func request(body, host string, fields map[string]string) []byte {
	p := unhex(agree + call)
	p = binary.AppendVarint(p, 1700000000123) // timestamp
	p = binary.AppendVarint(p, 3)             // INFO
	p = text(p, body)
	p = binary.AppendVarint(p, 42) // nanos
	p = text(p, host)
	if len(fields) > 0 {
		p = binary.AppendVarint(p, int64(len(fields)))
		for k, v := range fields {
			p = text(text(p, k), v)
		}
	}
	return append(p, 0)
}

// buffers makes the content of a request, cut into pieces of n bytes.
func buffers(p []byte, n int) []byte {
	var out []byte
	for len(p) > 0 {
		some := min(n, len(p))
		out = binary.BigEndian.AppendUint32(out, uint32(some))
		out = append(out, p[:some]...)
		p = p[some:]
	}
	return append(out, 0, 0, 0, 0)
}

// stored is the answer to a call whose event is stored.
var stored = buffers(unhex("00000000 0000"), 100)

// poster sends each event as a request, one after the other.
type poster struct {
	subject   *sourcetest.Subject
	transport *http.Transport
	last      chan struct{} // closed when the events before are answered

	mu     sync.Mutex
	wg     sync.WaitGroup // added to with mu held
	closed bool
}

// Generate implements sourcetest.Client.
func (p *poster) Generate(ids ...uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, done := p.last, make(chan struct{})
	p.last = done
	closed := p.closed
	p.wg.Go(func() {
		defer close(done)
		if before != nil {
			<-before
		}
		for _, id := range ids {
			if !closed && p.post(id) {
				p.subject.Acked(id)
			} else {
				p.subject.Refused(id)
			}
		}
	})
}

func (p *poster) post(id uint64) bool {
	content := buffers(request(sourcetest.Text(id), "h", sourcetest.Headers(id)), 100)
	r, err := http.NewRequest(http.MethodPost, "http://"+p.subject.Address+"/", bytes.NewReader(content))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", contentType)
	answer, err := p.transport.RoundTrip(r)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	return err == nil && bytes.Equal(got, stored)
}

// Close implements sourcetest.Client.
func (p *poster) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.wg.Wait()
	p.transport.CloseIdleConnections()
}
