package gss

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// end is Client and Server.
type end interface {
	Next(in []byte) (out []byte, done bool, err error)
}

// negotiate lets both ends talk, and returns the messages of the client and of the server.
func negotiate(client, server end) (said [][]byte, err error) {
	var in []byte
	for range 10 {
		out, _, err := client.Next(in)
		if err != nil {
			return said, fmt.Errorf("client: %w", err)
		}
		var done bool
		if in, done, err = server.Next(out); err != nil {
			return said, fmt.Errorf("server: %w", err)
		}
		if said = append(said, out, in); done {
			return said, nil
		}
	}
	return said, errors.New("it does not end")
}

// TestSASL: the client's first wish that is offered is what happens to messages.
func TestSASL(t *testing.T) {
	w := newWorld(t, "")
	a := w.acceptor(t)
	all := []Protection{Confidentiality, Integrity, Auth}
	for _, c := range []struct {
		offers, wishes []Protection
		want           string
	}{
		{[]Protection{Auth}, all, "auth"},
		{all, []Protection{Auth, Integrity}, "auth"},
		{all, []Protection{Integrity}, "auth-int"},
		{all, all, "auth-conf"},
		{[]Protection{Auth, Integrity}, all, "auth-int"},
		{[]Protection{Integrity}, []Protection{Auth}, "client: the server offers none of [auth]"},
	} {
		client, server := NewClient(w.ticket(t, terms{}), c.wishes...), NewServer(a, here, c.offers...)
		_, err := negotiate(client, server)
		if err != nil {
			if err.Error() != c.want {
				t.Errorf("%v from %v: %v", c.wishes, c.offers, err)
			}
			continue
		}
		one, other := client.Layer(), server.Layer()
		if one.Protection().String() != c.want || other.Protection().String() != c.want {
			t.Errorf("%v from %v: %v and %v", c.wishes, c.offers, one.Protection(), other.Protection())
		}
		if got := other.Context().Peer().String(); got != testClient {
			t.Errorf("the client is %s", got)
		}
		for _, l := range [][2]*Layer{{one, other}, {other, one}} {
			message := bytes.Repeat([]byte("m"), max(l[0].Most(), 1))
			token, err := l[0].Wrap(message)
			if err != nil {
				t.Fatal(err)
			}
			if plain := bytes.Equal(token, message); plain != (c.want == "auth") {
				t.Errorf("%s: the same bytes: %v", c.want, plain)
			}
			if got, err := l[1].Unwrap(token); err != nil || !bytes.Equal(got, message) {
				t.Errorf("%s: %d bytes, %v", c.want, len(got), err)
			}
			if c.want == "auth" {
				continue
			}
			if len(token) != mostBuffer {
				t.Errorf("%s: the longest token has %d bytes", c.want, len(token))
			}
			if _, err := l[0].Wrap(append(message, 'm')); err == nil {
				t.Errorf("%s: a message that is too long is taken", c.want)
			}
			if _, err := l[1].Unwrap(make([]byte, mostBuffer+1)); !errors.Is(err, ErrDefective) {
				t.Errorf("%s: a token that is too long: %v", c.want, err)
			}
		}
		if _, _, err := client.Next(nil); !errors.Is(err, ErrOrder) {
			t.Errorf("after the end: %v", err)
		}
	}
}

// TestUnsealed: a message that anybody can read is no answer where privacy was agreed upon.
func TestUnsealed(t *testing.T) {
	w := newWorld(t, "")
	client, server := NewClient(w.ticket(t, terms{}), Confidentiality), NewServer(w.acceptor(t), here, Confidentiality)
	if _, err := negotiate(client, server); err != nil {
		t.Fatal(err)
	}
	token, err := client.Layer().Context().Wrap([]byte("message"), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := server.Layer().Unwrap(token); !errors.Is(err, ErrDefective) {
		t.Errorf("an unsealed message: %v", err)
	}
}

// forger is a client that changes what it says in one step.
type forger struct {
	*Client
	at     int
	change func(c *Context, out []byte) []byte
}

func (f *forger) Next(in []byte) ([]byte, bool, error) {
	out, done, err := f.Client.Next(in)
	if err == nil && f.step == f.at {
		c := *f.layer.context
		c.sent = 0
		if f.at == 3 {
			c.sent = f.layer.context.sent - 1 // say it again
		}
		out = f.change(&c, out)
	}
	return out, done, err
}

// TestForgers: the server believes nothing that a client should not say.
func TestForgers(t *testing.T) {
	w := newWorld(t, "")
	wrap := func(text string) func(*Context, []byte) []byte {
		return func(c *Context, _ []byte) []byte {
			out, err := c.Wrap([]byte(text), false)
			if err != nil {
				t.Error(err)
			}
			return out
		}
	}
	for what, f := range map[string]struct {
		at     int
		change func(*Context, []byte) []byte
		says   string
	}{
		"itself":               {3, wrap("\x01\x00\x00\x00" + testClient), ""},
		"somebody else":        {3, wrap("\x01\x00\x00\x00root@" + testRealm), "acts as itself only"},
		"what is not offered":  {3, wrap("\x04\x00\x10\x00"), "not offered"},
		"two at once":          {3, wrap("\x03\x00\x10\x00"), "chooses protection 3"},
		"too little":           {3, wrap("\x01"), "1 bytes"},
		"nothing protected":    {3, func(*Context, []byte) []byte { return []byte("\x01\x00\x00\x00") }, "defective"},
		"too much, in between": {2, func(*Context, []byte) []byte { return []byte("x") }, "should wait"},
	} {
		_, err := negotiate(&forger{NewClient(w.ticket(t, terms{}), Auth), f.at, f.change}, NewServer(w.acceptor(t), here, Auth))
		if got := fmt.Sprint(err); f.says == "" && err != nil || f.says != "" && !strings.Contains(got, f.says) {
			t.Errorf("%s: %s", what, got)
		}
	}
}
