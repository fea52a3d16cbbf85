package avro

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flume-go/flume/event"
)

// scripted is the other end of a client's connection.
type scripted struct {
	t    *testing.T
	conn net.Conn
}

// receive returns the next request.
func (s scripted) receive() (serial uint32, payload []byte) {
	s.t.Helper()
	var head [8]byte
	if _, err := io.ReadFull(s.conn, head[:]); err != nil {
		s.t.Errorf("reading a request: %v", err)
		return 0, nil
	}
	for range binary.BigEndian.Uint32(head[4:]) {
		var size [4]byte
		if _, err := io.ReadFull(s.conn, size[:]); err != nil {
			s.t.Error(err)
		}
		p := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(s.conn, p); err != nil {
			s.t.Error(err)
		}
		payload = append(payload, p...)
	}
	return binary.BigEndian.Uint32(head[:]), payload
}

func (s scripted) send(serial uint32, payload string) {
	s.t.Helper()
	if _, err := s.conn.Write(cut(serial, unhex(s.t, payload), 5)); err != nil {
		s.t.Errorf("sending an answer: %v", err)
	}
}

// agree answers a handshake.
func (s scripted) agree() {
	serial, _ := s.receive()
	s.send(serial, "00000000")
}

// dialTo connects a client with a server that is a function.
func dialTo(t *testing.T, o Options, server func(scripted)) (*Client, error) {
	t.Helper()
	o.Dial = func(context.Context, string, string) (net.Conn, error) {
		a, b := net.Pipe()
		go func() {
			defer b.Close()
			server(scripted{t, b})
		}()
		return a, nil
	}
	return Dial(t.Context(), o)
}

// TestClientHandshakes: a client comes to an agreement with each kind of server, and
// says why if there is none.
func TestClientHandshakes(t *testing.T) {
	withText := hex.EncodeToString(appendString(nil, text))
	foreign := hex.EncodeToString(appendString(nil, strings.Replace(text, "bytes", "string", 1)))
	const theirs = "00112233445566778899aabbccddeeff"
	asks := "\x02\x02\x1cflume-go.ahead\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		answers []string
		says    string
	}{
		"1.x":              {[]string{"00000000"}, ""},
		"2.0":              {[]string{"04 02" + withText + "02" + theirs + "00", "00000000"}, ""},
		"client's":         {[]string{"02 02" + withText + "02" + theirs + "00"}, ""},
		"metadata":         {[]string{"00 00 00 02 02 0261 0262 00"}, ""},
		"never":            {[]string{"04 02" + withText + "02" + theirs + "00", "04 02" + withText + "02" + theirs + "00"}, "does not take"},
		"another protocol": {[]string{"02 02" + foreign + "02" + theirs + "00"}, "body:string"},
		"no answer":        {nil, "has closed the connection"},
		"nonsense":         {[]string{"09"}, "the match of a handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, err := dialTo(t, Options{Address: "there:1"}, func(s scripted) {
					for _, a := range c.answers {
						serial, payload := s.receive()
						if !strings.HasSuffix(string(payload), asks) {
							t.Errorf("a handshake is %x", payload)
						}
						s.send(serial, a)
					}
					switch {
					case c.says == "":
						serial, _ := s.receive()
						s.send(serial, "000000")
					case c.answers == nil:
						s.receive()
					}
				})
				if c.says != "" {
					if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "there:1") {
						t.Errorf("Dial returned %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				if client.Orders() {
					t.Error("a server that does not say so is believed to keep the order of calls")
				}
				if err := client.AppendBatch(t.Context(), batchOf(t, 1, 1, 0), nil); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestAnswersInAnyOrder: servers may answer calls in another order than they came.
func TestAnswersInAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := dialTo(t, Options{}, func(s scripted) {
			s.agree()
			first, _ := s.receive()
			second, _ := s.receive()
			third, _ := s.receive()
			s.send(third, "000004")
			s.send(first, "000000")
			s.send(second, "000002")
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var calls []*Pending
		for range 3 {
			p, err := c.Start(t.Context(), batchOf(t, 2, 10, 1), nil)
			if err != nil {
				t.Fatal(err)
			}
			calls = append(calls, p)
		}
		for i, want := range []Status{OK, Failed, Unknown} {
			err := calls[i].Wait(t.Context())
			if a, ok := isAnswer(err); want == OK && err != nil || want != OK && (!ok || a.Status != want) {
				t.Errorf("call %d ends with %v, not %v", i, err, want)
			}
		}
	})
}

// TestUnanswered: whatever keeps an answer from coming, the caller learns that the
// request was sent, and when.
func TestUnanswered(t *testing.T) {
	for name, c := range map[string]struct {
		cancel time.Duration
		after  time.Duration
		says   string
	}{
		"never":                          {0, 3 * time.Second, "waiting for an answer"},
		"cancelled":                      {time.Second, time.Second, "context canceled"},
		"closed":                         {0, 0, "closed the connection"},
		"nonsense":                       {0, 0, "ends within a value"},
		"a number that is not under way": {0, 0, "not under way"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stop := make(chan struct{})
				defer close(stop)
				client, err := dialTo(t, Options{RequestTimeout: 3 * time.Second}, func(s scripted) {
					s.agree()
					n, _ := s.receive()
					switch name {
					case "never", "cancelled":
						<-stop
					case "nonsense":
						s.send(n, "0000")
					case "a number that is not under way":
						s.send(n+7, "000000")
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				began := time.Now()
				err = client.AppendBatch(ctx, batchOf(t, 1, 1, 0), nil)
				var sent *SentError
				if !errors.As(err, &sent) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("the call ends with %v", err)
				}
				if took := time.Since(began); took != c.after {
					t.Errorf("it took %v", took)
				}
				if client.Active() {
					t.Error("the client is taken for a good one")
				}
				if _, err := client.Start(t.Context(), batchOf(t, 1, 1, 0), nil); err == nil || errors.As(err, &sent) {
					t.Errorf("the next call ends with %v", err)
				}
			})
		})
	}
}

// TestNotSent: a request that cannot be written in time is not sent.
func TestNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		c, err := dialTo(t, Options{ConnectTimeout: 2 * time.Second}, func(s scripted) {
			s.agree()
			<-stop
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		began := time.Now()
		err = c.AppendBatch(t.Context(), batchOf(t, 1, 10, 0), nil)
		var sent *SentError
		if err == nil || errors.As(err, &sent) || time.Since(began) != 2*time.Second {
			t.Errorf("after %v the call ends with %v", time.Since(began), err)
		}
	})
}

// TestConnectTimeout: a server that takes the connection and says nothing is given up.
func TestConnectTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		defer close(stop)
		began := time.Now()
		_, err := dialTo(t, Options{ConnectTimeout: 2 * time.Second}, func(s scripted) {
			s.receive()
			<-stop
		})
		if err == nil || time.Since(began) != 2*time.Second {
			t.Errorf("after %v Dial returned %v", time.Since(began), err)
		}
	})
}

// TestIdleEnd: a client notices that the server has closed an idle connection: a new one
// at once, and one that was in use after a moment.
func TestIdleEnd(t *testing.T) {
	for _, calls := range []int{0, 1, 2} {
		synctest.Test(t, func(t *testing.T) {
			c, err := dialTo(t, Options{}, func(s scripted) {
				s.agree()
				for range calls {
					serial, _ := s.receive()
					s.send(serial, "000000")
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for range calls {
				if err := c.AppendBatch(t.Context(), batchOf(t, 1, 10, 0), nil); err != nil {
					t.Fatal(err)
				}
			}
			if calls > 0 {
				<-time.After(2 * watchEvery)
			}
			synctest.Wait()
			if c.Active() {
				t.Errorf("the connection has ended after %d calls and the client is taken for a good one", calls)
			}
		})
	}
}

// TestSlowClients: a request that has begun must arrive in time, one that has not may
// come any time, whatever the layers.
func TestSlowClients(t *testing.T) {
	const call = "00 16 617070656e644261746368 02 00 02 31 00"
	frame := cut(1, unhex(t, agree+call), 1000)
	for _, sent := range []int{0, 3, 8, 20, len(frame) - 1, len(frame)} {
		synctest.Test(t, func(t *testing.T) {
			a, b := net.Pipe()
			ended := make(chan error, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { ended <- NewServer(nothing{}, false, nil, Limits{Arrive: 5 * time.Second}).Serve(ctx, ctx, b) }()
			go func() { _, _ = io.Copy(io.Discard, a) }()
			if sent > 0 { // a pipe tells the other end of nothing, too
				if _, err := a.Write(frame[:sent]); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			whole := sent == 0 || sent == len(frame)
			select {
			case err := <-ended:
				if whole || err == nil || time.Since(began) != 5*time.Second {
					t.Errorf("with %d bytes sent the connection ends after %v with %v", sent, time.Since(began), err)
				}
			case <-time.After(time.Hour):
				if !whole {
					t.Errorf("with %d bytes sent the server waits for ever", sent)
				}
				a.Close()
				if err := <-ended; err != nil {
					t.Errorf("the connection ended with %v", err)
				}
			}
			a.Close()
		})
	}
}

// TestUnreadAnswers: a client that does not read its answers is given up.
func TestUnreadAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		defer a.Close()
		ended := make(chan error, 1)
		go func() {
			ended <- NewServer(nothing{}, false, nil, Limits{Answer: 7 * time.Second}).Serve(t.Context(), t.Context(), b)
		}()
		if _, err := a.Write(cut(1, unhex(t, agree+"0000"), 100)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := <-ended; err == nil || time.Since(began) != 7*time.Second {
			t.Errorf("after %v the connection ends with %v", time.Since(began), err)
		}
	})
}

// TestBomb: what a compressed request takes is counted decompressed.
func TestBomb(t *testing.T) {
	h := new(store)
	addr, ended := serve(t, NewServer(h, true, nil, Limits{Request: 1 << 20}))
	c := connect(t, Options{Address: addr, Deflate: true, Level: 9})
	bomb := event.NewBatch()
	defer bomb.Release()
	bomb.Append(make([]byte, 64<<20))
	if err := c.AppendBatch(t.Context(), bomb, nil); err == nil {
		t.Error("64 MiB are stored")
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("the connection ended with %v", err)
	}
}
