package thrift

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/event"
)

// script is an end of a mechanism that expects and says texts, "in:out", and ends in an
// error after "!".
type script []string

func (s *script) Next(in []byte) ([]byte, bool, error) {
	if len(*s) == 0 {
		return nil, false, errors.New("nothing more is expected")
	}
	want, out, _ := strings.Cut((*s)[0], ":")
	*s = (*s)[1:]
	if want != string(in) {
		return nil, false, fmt.Errorf("%q instead of %q", in, want)
	}
	if reason, bad := strings.CutPrefix(out, "!"); bad {
		return nil, false, errors.New(reason)
	}
	return []byte(out), len(*s) == 0, nil
}

// saslServer is a server of Flume's service that wants the mechanism TEST.
func saslServer(log io.Writer, steps ...string) *Server {
	s := flumeServer(log)
	s.SASL = &SASL{Mechanism: "TEST", Begin: func(net.Addr) Negotiation {
		mine := script(steps)
		return &mine
	}}
	return s
}

// said is a message of a negotiation.
func said(status byte, payload string) string {
	return string(binary.BigEndian.AppendUint32([]byte{status}, uint32(len(payload)))) + payload
}

// TestSASLCalls: after the negotiation calls are made as without it.
func TestSASLCalls(t *testing.T) {
	var r recorder
	var log buffer
	addr := start(t, saslServer(&log, "one:two", ":three", "four:"), r.store)
	conn := dial(t, addr)
	if err := Negotiate(conn, "TEST", &script{":one", "two:", "three:four"}); err != nil {
		t.Fatal(err)
	}
	c := NewClient(conn, Compact)
	for range 3 {
		b := event.NewBatch()
		b.AppendCopy([]byte("hello"))
		status, err := c.AppendBatch(b, 0, 1, totalSize(b))
		b.Release()
		if status != StatusOK || err != nil {
			t.Fatalf("%v, %v", status, err)
		}
	}
	if got := r.text(); got != "{} hello\n{} hello\n{} hello\n" {
		t.Errorf("stored is\n%s", got)
	}
	// A client may send its first call with the last message of the negotiation.
	head := Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Binary}
	in := said(saslStart, "TEST") + said(saslOK, "one") + said(saslOK, "") + said(saslComplete, "four")
	out := converse(t, addr, append([]byte(in), framed(message(head, oneEvent("x")))...))
	rest, found := bytes.CutPrefix(out, []byte(said(saslOK, "two")+said(saslOK, "three")+said(saslComplete, "")))
	if !found || answers(t, rest) != "1: OK" {
		t.Errorf("answered with %q", out)
	}
	if log.String() != "" {
		t.Errorf("the log says\n%s", log.String())
	}
}

// TestSASLRefusals: who does not show who it is gets a reason, and no further.
func TestSASLRefusals(t *testing.T) {
	head := Message{Type: Call, Seq: 1, Name: []byte("append"), Protocol: Compact}
	for what, c := range map[string]struct{ in, out, log string }{
		"no SASL":          {string(framed(message(head, oneEvent("x")))), "", "seems not to use Kerberos"},
		"another one":      {said(saslStart, "PLAIN"), said(saslBad, `the client has not shown who it is: it wants the mechanism "PLAIN", and TEST is what there is`), "PLAIN"},
		"no beginning":     {said(saslOK, "one"), "", "begins with status 2"},
		"two beginnings":   {said(saslStart, "TEST") + said(saslStart, "TEST"), "", "begins twice"},
		"not who it is":    {said(saslStart, "TEST") + said(saslOK, "bad"), said(saslBad, `the client has not shown who it is: "bad" instead of "one"`), "bad"},
		"too long":         {said(saslStart, "TEST") + "\x02\x00\x02\x00\x01", "", "131073 bytes"},
		"the client is up": {said(saslStart, "TEST") + said(saslBad, "I do not like you"), "", `refuses: \"I do not like you\"`},
		"broken off":       {said(saslStart, "TEST") + "\x02\x00", "", "unexpected EOF"},
		"only a look":      {"", "", ""},
	} {
		var r recorder
		var log buffer
		s := saslServer(&log, "one:two", "three:")
		out := converse(t, start(t, s, r.store), []byte(c.in))
		if string(out) != c.out {
			t.Errorf("%s: answered %q", what, out)
		}
		if text := log.String(); !strings.Contains(text, c.log) || (c.log == "") != (text == "") {
			t.Errorf("%s: the log says %q, not %q", what, text, c.log)
		}
		if r.text() != "" {
			t.Errorf("%s: stored is %q", what, r.text())
		}
		if n := s.Metrics.OwnCounter("failed_handshakes", "").Value(); (n == 1) != (c.log != "") {
			t.Errorf("%s: %d are counted", what, n)
		}
	}
}

// TestSASLClient: the client believes no server that does not play its part.
func TestSASLClient(t *testing.T) {
	for what, c := range map[string]struct {
		answers, want string
		refused       bool
	}{
		"good":           {said(saslOK, "two") + said(saslComplete, ""), "<nil>", false},
		"refused":        {said(saslBad, "go \xff away"), `negotiating: the other end refuses: "go ? away"`, true},
		"failed":         {said(saslError, ""), "negotiating: the other end refuses: it gives no reason", true},
		"too early":      {said(saslComplete, "two"), "malformed message: the server answers with status 5 where it should not", false},
		"too late":       {said(saslOK, "two") + said(saslOK, ""), "malformed message: the server answers with status 2 where it should not", false},
		"not the server": {said(saslOK, "three"), `"three" instead of "two"`, true},
		"no SASL":        {"HTTP/1.1 400 Bad Request", "negotiating: malformed message: it begins with 48 54 54 50 2f, which is none of SASL: the other end seems not to use Kerberos", false},
		"gone":           {"", "negotiating: EOF", false},
	} {
		conn := &scripted{pieces: [][]byte{[]byte(c.answers)}}
		err := Negotiate(conn, "TEST", &script{":one", "two:three"})
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("%s: %s", what, got)
		}
		var r *Refused
		if errors.As(err, &r) != c.refused {
			t.Errorf("%s: refused is %v", what, !c.refused)
		}
		if begin := said(saslStart, "TEST") + said(saslOK, "one"); !strings.HasPrefix(string(conn.out), begin) {
			t.Errorf("%s: it begins with %q", what, conn.out)
		}
	}
}

// TestSASLSilence: a client that begins and says no more is closed in time.
func TestSASLSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := saslServer(nil, "one:two", "three:")
		server, client := net.Pipe()
		defer client.Close()
		done := make(chan error, 1)
		go func() { done <- s.identify(t.Context(), server) }()
		if _, err := client.Write([]byte(said(saslStart, "TEST"))); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, errSlow) {
			t.Errorf("it ends with %v", err)
		}
	})
}

// FuzzSASL: any bytes are a negotiation or an error, on either end.
func FuzzSASL(f *testing.F) {
	f.Add([]byte(said(saslStart, "TEST") + said(saslOK, "one") + said(saslOK, "three")))
	f.Add([]byte(said(saslOK, "two") + said(saslComplete, "")))
	f.Add([]byte("\x02\x00\x01\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		server := SASL{Mechanism: "TEST", Begin: func(net.Addr) Negotiation { return &script{"one:two", "three:"} }}
		if err := server.serve(&addressed{scripted{pieces: [][]byte{data}}}); err == nil && !bytes.Contains(data, []byte("three")) {
			t.Error("the server accepts a client that has not shown who it is")
		}
		conn := &scripted{pieces: [][]byte{data}}
		if err := Negotiate(conn, "TEST", &script{":one", "two:three"}); err == nil && !bytes.HasPrefix(data, []byte(said(saslOK, "two"))) {
			t.Error("the client accepts a server that has not shown who it is")
		}
	})
}

// addressed is a scripted connection from somewhere.
type addressed struct{ scripted }

func (*addressed) RemoteAddr() net.Addr { return &net.TCPAddr{} }
