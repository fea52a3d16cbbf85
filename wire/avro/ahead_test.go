package avro

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
)

// TestAhead: behind a call that is not taken none is that was sent before the client
// knew; the others are.
func TestAhead(t *testing.T) {
	for name, refuse := range map[string]func(s *store){
		"status": func(s *store) { s.status = Failed },
		"error":  func(s *store) { s.err = fmt.Errorf("scripted") },
		"memory": nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := new(store)
			limits := Limits{Memory: chargeStep}
			addr, _ := serve(t, NewServer(s, false, nil, limits))
			c := connect(t, Options{Address: addr})
			if !c.Orders() {
				t.Fatal("the server does not keep the order of calls")
			}
			send := func(body string, m Meta) *Pending {
				b := event.NewBatch()
				defer b.Release()
				b.AppendCopy([]byte(body))
				p, err := c.Start(t.Context(), b, m)
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			refused := "refused"
			if refuse == nil {
				refused = string(bytes.Repeat([]byte("x"), 2*chargeStep))
			}
			expect := func(p *Pending, ok bool) {
				t.Helper()
				err := p.Wait(t.Context())
				if _, no := isAnswer(err); no == ok || !no && err != nil {
					t.Errorf("the answer is %v", err)
				}
			}
			front, behind := send("1", nil), send("2", Meta{}.Ahead())
			expect(front, true)
			expect(behind, true)
			if refuse != nil {
				s.mu.Lock()
				refuse(s)
				s.mu.Unlock()
			}
			front = send(refused, nil)
			expect(front, false)
			s.mu.Lock()
			s.status, s.err = OK, nil
			s.mu.Unlock()
			expect(send("ahead", Meta{}.Ahead()), false)
			expect(send("ahead of that", Meta{}.Ahead()), false)
			expect(send("3", nil), true)
			expect(send("4", Meta{}.Ahead()), true)
			var got []string
			for _, e := range s.events() {
				if string(e.Body) != refused {
					got = append(got, string(e.Body))
				}
			}
			if want := []string{"1", "2", "3", "4"}; !slices.Equal(got, want) {
				t.Errorf("stored: %q, want %q", got, want)
			}
		})
	}
}

// TestNoAheadForOthers: what Apache Flume is answered has nothing that it does not know.
func TestNoAheadForOthers(t *testing.T) {
	if got := appendHandshakeMeta(nil, false); !bytes.Equal(got, []byte{0}) {
		t.Errorf("without being asked the server says %x", got)
	}
}

// gather queues a call for each body and its number, all but the first ahead, sends them in one write and waits for the answers.
func gather(t *testing.T, c *Client, bodies ...string) (errs []error) {
	t.Helper()
	var sent []*Pending
	for i, body := range bodies {
		b := event.NewBatch()
		b.AppendCopy([]byte(body)).Number = uint64(10 + i)
		b.SetOrigin(event.Origin{Log: [16]byte{1}, Done: uint64(i), Here: true})
		m := OriginMeta(b)
		if i > 0 {
			m = m.Ahead()
		}
		p, err := c.Queue(t.Context(), b, m)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, p)
		b.Release()
	}
	for _, p := range sent {
		errs = append(errs, p.Wait(t.Context()))
	}
	return errs
}

// together is a handler that keeps what has come together, and takes no more calls at once than it may.
type together struct {
	most   int
	counts []int
	stored []string
	origin [][]uint64 // what each round says: numbers, and what does not come again
}

func (h *together) Handle(_ context.Context, c *Call) (Status, error) {
	h.counts = append(h.counts, c.Count)
	if h.most > 0 && c.Count > h.most {
		return Failed, nil
	}
	if c.Meta.SetOrigin(c.Batch) {
		o, _ := c.Batch.Origin()
		said := []uint64{o.Done}
		for i := range c.Batch.Events() {
			said = append(said, c.Batch.At(i).Number)
		}
		h.origin = append(h.origin, said)
	}
	for _, e := range c.Batch.Events() {
		h.stored = append(h.stored, string(e.Body))
	}
	return OK, nil
}

func (h *together) Refused(net.Addr, error) {}

// TestTogether: calls that have come together are handled as one, with the origin of all, and each is answered.
func TestTogether(t *testing.T) {
	h := new(together)
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	c := connect(t, Options{Address: addr})
	gather(t, c, strings.Repeat("x", largeSlab/2)) // so that the server has memory for several
	*h = together{}
	for i, err := range gather(t, c, "1", "2", "3", "4") {
		if err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if !slices.Equal(h.counts, []int{4}) || !slices.Equal(h.stored, []string{"1", "2", "3", "4"}) {
		t.Errorf("in rounds of %v: %q", h.counts, h.stored)
	}
	if len(h.origin) != 1 || !slices.Equal(h.origin[0], []uint64{0, 10, 11, 12, 13}) {
		t.Errorf("origin %v", h.origin)
	}
}

// TestTooManyTogether: a handler that takes one call, but not all that have come together, gets on.
func TestTooManyTogether(t *testing.T) {
	h := &together{most: 1}
	addr, _ := serve(t, NewServer(h, false, nil, Limits{}))
	c := connect(t, Options{Address: addr})
	gather(t, c, strings.Repeat("x", largeSlab/2))
	h.stored = nil
	for left := []string{"1", "2", "3"}; len(left) > 0; {
		if len(h.counts) > 20 {
			t.Fatalf("after 20 puts %q are stored", h.stored)
		}
		for _, err := range gather(t, c, left...) {
			if err == nil {
				left = left[1:]
			}
		}
	}
	if !slices.Equal(h.stored, []string{"1", "2", "3"}) {
		t.Errorf("stored %q", h.stored)
	}
}

// TestMalformedAmongOthers: in front of a call that is not as it should be all is stored, behind it nothing that was ahead.
func TestMalformedAmongOthers(t *testing.T) {
	h := new(together)
	server := NewServer(h, false, nil, Limits{})
	frame := func(serial uint32, message, body string, m Meta) []byte {
		p := appendString(appendMeta(beginFrame(nil, serial), m), message)
		b := event.NewBatch()
		defer b.Release()
		p = encoded(appendLong(p, 1), b.AppendCopy([]byte(body)))
		return endFrame(append(p, 0))
	}
	ahead := Meta{}.Ahead()
	first := append(unhex(t, "00000000 00000001 00000000 "+agree), 0)
	first = endFrame(append(appendString(first, messageBatch), 0))
	conn := &once{Reader: bytes.NewReader(slices.Concat(first,
		frame(1, messageBatch, "1", nil), frame(2, messageBatch, "2", ahead), frame(3, "other", "3", ahead), frame(4, messageBatch, "4", ahead), frame(5, messageBatch, "5", nil)))}
	if err := server.Serve(t.Context(), t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(h.stored, []string{"1", "2", "5"}) || !slices.Equal(h.counts, []int{1, 2, 1}) {
		t.Errorf("in rounds of %v: %q", h.counts, h.stored)
	}
	for serial, rest := uint32(0), conn.out.Bytes(); len(rest) > 0; serial++ {
		var got uint32
		if got, _, rest = join(t, rest); got != serial {
			t.Errorf("answer %d is to request %d", serial, got)
		}
	}
}
