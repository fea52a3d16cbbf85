package gss

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLoginFails: what keeps a login from a ticket is said with the names of all that may
// be wrong.
func TestLoginFails(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for what, c := range map[string]struct {
		conf, principal, keytab, service string
		says                             []string
	}{
		"no KDC answers":   {"[realms]\n " + testRealm + " = {\n  kdc = " + closed.Addr().String() + "\n }\n", testService, "service.keytab", testService, []string{testService, "service.keytab", "no KDC answers", closed.Addr().String(), "krb5.conf"}},
		"no KDC is named":  {"", testService, "service.keytab", testService, []string{"realm " + testRealm + " has no KDC", "[realms]", envConfig}},
		"no keytab":        {"", testService, "missing", testService, []string{"missing", "no such file", "ktadd"}},
		"no key":           {"", testClient, "service.keytab", testService, []string{"no key of " + testClient, "only of " + testService}},
		"no type":          {" default_tkt_enctypes = rc4-hmac\n", testService, "service.keytab", testService, []string{"default_tkt_enctypes"}},
		"no service":       {"", testService, "service.keytab", "", []string{"no name"}},
		"a bad client":     {"", "flume/@", "service.keytab", testService, []string{"flume/@"}},
		"a krb5.conf, bad": {" allow_weak_crypto = perhaps\n", testService, "service.keytab", testService, []string{"krb5.conf", "allow_weak_crypto"}},
	} {
		t.Run(what, func(t *testing.T) {
			w := newWorld(t, c.conf)
			l := NewLogin(osFS, c.principal, filepath.Join(w.dir, c.keytab), slog.New(slog.DiscardHandler))
			_, err := l.Ticket(t.Context(), c.service)
			says(t, what, err, c.says...)
		})
	}
}

// TestLoginCancelled: a KDC that does not answer keeps nobody longer than they like to wait.
func TestLoginCancelled(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	w := newWorld(t, " udp_preference_limit = 1\n[realms]\n "+testRealm+" = {\n  kdc = "+ln.Addr().String()+"\n }\n")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		if conn, err := ln.Accept(); err == nil {
			conn.Read(make([]byte, 1)) //nolint:errcheck // the request has come, or not
			cancel(errors.New("enough"))
			<-t.Context().Done()
			conn.Close()
		}
	}()
	begin := time.Now()
	_, err = NewLogin(osFS, testService, w.keytab, slog.New(slog.DiscardHandler)).Ticket(ctx, testService)
	says(t, "cancelled", err, "enough")
	if d := time.Since(begin); d > kdcLimit {
		t.Errorf("it took %v", d)
	}
}

// TestLoginKeepsTickets: a ticket is used until a fifth of its time is left, and no longer than
// the service takes it.
func TestLoginKeepsTickets(t *testing.T) {
	w := newWorld(t, "")
	l := NewLogin(osFS, testService, w.keytab, slog.New(slog.DiscardHandler))
	ticket := w.ticket(t, terms{})
	l.tickets[ticket.service] = ticket
	if got, err := l.Ticket(t.Context(), testService); got != ticket || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	ticket.ends = time.Now()
	if _, err := l.Ticket(t.Context(), testService); err == nil {
		t.Error("an old ticket is used")
	}
	ticket.ends = time.Now().Add(time.Hour)
	l.Forget()
	if _, err := l.Ticket(t.Context(), testService); err == nil {
		t.Error("a ticket is used that a service did not take")
	}
}

func TestPrincipals(t *testing.T) {
	var got strings.Builder
	for _, s := range []string{"a", "a@R", "a/h@R", "a/_HOST", "a/b/c@R", "", "/h", "a/", "a@", "a@R@S", "a b", "a\\b"} {
		p, err := ParsePrincipal(s)
		if err != nil {
			fmt.Fprintf(&got, "%s: error\n", s)
			continue
		}
		fmt.Fprintf(&got, "%s: %s %q %q %q %v\n", s, p, p.Name, p.Realm, p.Host(), p.HasHostPattern())
	}
	want := `a: a "a" "" "" false
a@R: a@R "a" "R" "" false
a/h@R: a/h@R "a/h" "R" "h" false
a/_HOST: a/_HOST "a/_HOST" "" "_HOST" true
a/b/c@R: a/b/c@R "a/b/c" "R" "" false
: error
/h: error
a/: error
a@: error
a@R@S: error
a b: error
a\b: error
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

// names is a resolver.
type names map[string]string

func (n names) LookupHost(_ context.Context, host string) ([]string, error) {
	if n[host] == "" {
		return nil, errors.New("unknown")
	}
	return []string{n[host]}, nil
}

func (n names) LookupAddr(ctx context.Context, addr string) ([]string, error) {
	return n.LookupHost(ctx, addr)
}

func TestCanonical(t *testing.T) {
	r := names{"short": "10.0.0.1", "10.0.0.1": "Long.Example.", "odd": "10.0.0.2"}
	for host, want := range map[string]string{"short": "Long.Example", "odd": "odd", "unknown": "unknown"} {
		if got := canonical(t.Context(), r, host); got != want {
			t.Errorf("%s: %s, not %s", host, got, want)
		}
	}
	p, err := Principal{Name: "flume/_HOST", Realm: "R"}.Resolve(t.Context())
	if err != nil || p.HasHostPattern() || p.Host() == "" || p.Host() != strings.ToLower(p.Host()) {
		t.Errorf("%s, %v", p, err)
	}
}

// TestLongFrames: the lengths of tokens of every size.
func TestLongFrames(t *testing.T) {
	for _, n := range []int{0, 1, 113, 114, 115, 200, 250, 300, 65520, 65530, 70000} {
		content := bytes.Repeat([]byte("x"), n)
		kind, got, err := disclose(enclose(tokenReply, content))
		if err != nil || kind != tokenReply || !bytes.Equal(got, content) {
			t.Errorf("%d bytes: kind %x, %d bytes, %v", n, kind, len(got), err)
		}
	}
	for what, token := range map[string]string{
		"empty": "", "too short": "\x60", "no length": "\x60\x80", "cut": "\x60\x82\x01", "another length": "\x60\x05abcd",
		"another mechanism": "\x60\x0d\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x03\x02\x00", "too long": strings.Repeat("x", mostToken+1),
	} {
		if _, _, err := disclose([]byte(token)); !errors.Is(err, ErrDefective) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
