package avro

import (
	"bytes"
	"fmt"
	"slices"
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
