package gss

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/iana/errorcode"
	"github.com/go-krb5/krb5/keytab"
	"github.com/go-krb5/krb5/messages"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// says fails the test unless err says all of the texts.
func says(t *testing.T, what string, err error, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, which does not say %q", what, err, text)
		}
	}
}

// TestRefusals: an acceptor says what is wrong with a ticket, and what to do.
func TestRefusals(t *testing.T) {
	w := newWorld(t, "")
	others := keytab.New()
	for _, p := range []string{"flume/host.test.example", "other/host.test.example"} {
		for _, typ := range strong {
			if err := others.AddEntry(p, testRealm, "another secret", time.Unix(9, 0), 1, typ); err != nil {
				t.Fatal(err)
			}
			if err := others.AddEntry(p, testRealm, "another secret", time.Unix(9, 0), 7, typ); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, c := range map[string]struct {
		terms terms
		says  []string
	}{
		"another service": {terms{service: "other/host.test.example@" + testRealm, keys: others}, []string{"for other/host", "this service is " + testService}},
		"another key":     {terms{keys: others, version: 1}, []string{"not encrypted with the key", w.keytab, "export"}},
		"a newer key":     {terms{keys: others, version: 7}, []string{"of version 7", "only of version 1 (aes256-sha1)", "export"}},
		"expired":         {terms{starts: -2 * time.Hour, ends: -time.Hour}, []string{"expired", "new one"}},
		"too early":       {terms{starts: time.Hour, ends: 2 * time.Hour}, []string{"not valid before", "clocks"}},
	} {
		token, err := NewInitiator(w.ticket(t, c.terms)).Token()
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = w.acceptor(t).Accept(token, here)
		says(t, what, err, c.says...)
	}
}

// TestSkewAndReplay: a request is good at its time only, and once.
func TestSkewAndReplay(t *testing.T) {
	w := newWorld(t, " clockskew = 60\n")
	a := w.acceptor(t)
	token, err := NewInitiator(w.ticket(t, terms{})).Token()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Accept(token, here); err != nil {
		t.Fatal(err)
	}
	_, _, err = a.Accept(token, here)
	says(t, "repeated", err, "made before")

	ticket := w.ticket(t, terms{})
	for _, off := range []time.Duration{-2 * time.Minute, 2 * time.Minute} {
		i := NewInitiator(ticket)
		if _, err := i.Token(); err != nil {
			t.Fatal(err)
		}
		i.request.CTime = i.request.CTime.Add(off)
		req, err := messages.NewAPReq(ticket.ticket, ticket.key, i.request)
		if err != nil {
			t.Fatal(err)
		}
		data, err := req.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = a.Accept(enclose(tokenRequest, data), here)
		says(t, off.String(), err, "2m0s off", "at most 1m0s", "NTP")
	}
}

// TestImpostor: an initiator notices a service that does not have the key, and answers to
// other requests.
func TestImpostor(t *testing.T) {
	w := newWorld(t, "")
	one, two := NewInitiator(w.ticket(t, terms{})), NewInitiator(w.ticket(t, terms{}))
	if _, err := one.Token(); err != nil {
		t.Fatal(err)
	}
	token, err := two.Token()
	if err != nil {
		t.Fatal(err)
	}
	reply, _, err := w.acceptor(t).Accept(token, here)
	if err != nil {
		t.Fatal(err)
	}
	_, err = one.Finish(reply)
	says(t, "an answer to somebody else", err, "does not have the key")
	again := NewInitiator(two.ticket)
	if _, err := again.Token(); err != nil {
		t.Fatal(err)
	}
	again.request.CTime = again.request.CTime.Add(-time.Second)
	_, err = again.Finish(reply)
	says(t, "an answer to another request", err, "answers another request")
	refusal := messages.NewKRBError(two.ticket.ticket.SName, testRealm, errorcode.KRB_AP_ERR_SKEW, "")
	data, err := refusal.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	_, err = two.Finish(enclose(tokenError, data))
	says(t, "a refusal", err, "KRB_AP_ERR_SKEW", "clocks")
	if _, err := two.Finish(reply); err != nil {
		t.Error(err)
	}
}

// TestNewKeys: an acceptor takes keys that its keytab has got since.
func TestNewKeys(t *testing.T) {
	w := newWorld(t, "")
	a := w.acceptor(t)
	w.addKeys(t, "a new secret", 2)
	if err := os.Chtimes(w.keytab, time.Time{}, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	token, err := NewInitiator(w.ticket(t, terms{version: 2})).Token()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Accept(token, here); err != nil {
		t.Error(err)
	}
}

// TestKeysOfOneVersion: a principal that was removed and added again has keys of the same version
// in a keytab; the last ones count.
func TestKeysOfOneVersion(t *testing.T) {
	w := newWorld(t, "")
	w.addKeys(t, "a new secret", 1)
	fresh := keytab.New()
	for _, typ := range strong {
		if err := fresh.AddEntry("flume/host.test.example", testRealm, "a new secret", time.Unix(9, 0), 1, typ); err != nil {
			t.Fatal(err)
		}
	}
	for _, version := range []int{0, 1} {
		ticket := w.ticket(t, terms{keys: fresh, version: version})
		ticket.ticket.EncPart.KVNO = version
		token, err := NewInitiator(ticket).Token()
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := w.acceptor(t).Accept(token, here); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
	}
	a := w.acceptor(t)
	if n := len(a.keys.own(w.service, a.principal).Entries); n != len(strong) {
		t.Errorf("%d keys to log in with", n)
	}
}

// TestReplayMemory: requests are remembered for as long as they must, and not for ever.
func TestReplayMemory(t *testing.T) {
	var r replays
	for i := range 3 * mostReplays {
		if r.add([]byte{byte(i), byte(i >> 8), byte(i >> 16)}, time.Hour) {
			t.Fatalf("request %d is known", i)
		}
	}
	if n := len(r.young) + len(r.old); n > 2*mostReplays {
		t.Errorf("%d requests are remembered", n)
	}
	last := 3*mostReplays - 1
	if !r.add([]byte{byte(last), byte(last >> 8), byte(last >> 16)}, time.Hour) {
		t.Error("the last request is forgotten")
	}
}

// TestInspect: what is wrong with the files is said without asking anybody.
func TestInspect(t *testing.T) {
	w := newWorld(t, "[domain_realm]\n .sub.example = SUB.EXAMPLE\n")
	weak := filepath.Join(w.dir, "weak.keytab")
	kt := keytab.New()
	if err := kt.AddEntry("flume/host.test.example", testRealm, "secret", time.Now(), 1, 23); err != nil {
		t.Fatal(err)
	}
	data, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	write(t, weak, data)
	junk := filepath.Join(w.dir, "junk")
	write(t, junk, []byte("\x05\x02\x7f\xff\xff\xff"))
	for what, c := range map[string]struct {
		principal, keytab string
		says              []string
	}{
		"the default realm":  {"flume/host.test.example", w.keytab, nil},
		"_HOST":              {"flume/_HOST@" + testRealm, w.keytab, nil},
		"another realm":      {"flume/host.sub.example", w.keytab, []string{"flume/host.sub.example@SUB.EXAMPLE", "only of " + testService}},
		"another principal":  {"flume/other.example", w.keytab, []string{"no key of flume/other.example@" + testRealm}},
		"no file":            {testService, w.keytab + "x", []string{w.keytab + "x", "no such file", "ktadd"}},
		"a folder":           {testService, w.dir, []string{"folder"}},
		"no keytab":          {testService, junk, []string{"no keytab, or damaged"}},
		"keys that are weak": {testService, weak, []string{"no AES key"}},
		"no principal":       {"flume/@X", w.keytab, []string{"empty part"}},
	} {
		err := Inspect(osFS, c.principal, c.keytab)
		if c.says == nil && err != nil {
			t.Errorf("%s: %v", what, err)
		}
		says(t, what, err, c.says...)
	}
	t.Setenv(envConfig, filepath.Join(w.dir, "missing.conf"))
	says(t, "no krb5.conf", Inspect(osFS, testService, w.keytab), "missing.conf", envConfig, javaConfig)
}

// TestConfig: includes, sections that come twice, and types that are not strong.
func TestConfig(t *testing.T) {
	w := newWorld(t, "")
	main, more := filepath.Join(w.dir, "main.conf"), filepath.Join(w.dir, "more.d")
	if err := os.Mkdir(more, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, main, []byte("includedir "+more+"\ninclude "+w.dir+"/krb5.conf\n# a comment\n[realms]\n A = {\n  kdc = a\n }\n[realms]\n B = {\n  kdc = b\n }\n"))
	write(t, filepath.Join(more, "c.conf"), []byte("[realms]\n C = {\n  kdc = c\n }\n[libdefaults]\n permitted_enctypes = rc4-hmac aes128-cts-hmac-sha1-96\n"))
	write(t, filepath.Join(more, "d.conf~"), []byte("no configuration"))
	t.Setenv(envConfig, w.dir+"/missing.conf:"+main)
	c, err := loadConfig(osFS)
	if err != nil {
		t.Fatal(err)
	}
	for _, realm := range []string{"A", "B", "C"} {
		if !hasKDC(c, realm) {
			t.Errorf("realm %s has no KDC", realm)
		}
	}
	if hasKDC(c, "D") {
		t.Error("realm D has a KDC")
	}
	d := c.LibDefaults
	if !slices.Equal(d.PermittedEnctypeIDs, []int32{17}) || !slices.Equal(d.DefaultTktEnctypeIDs, strong) || d.DefaultRealm != testRealm {
		t.Errorf("permitted are %v, tickets %v, the default realm is %q", d.PermittedEnctypeIDs, d.DefaultTktEnctypeIDs, d.DefaultRealm)
	}
	write(t, filepath.Join(more, "c.conf"), []byte("[libdefaults]\n default_tkt_enctypes = rc4-hmac\n"))
	_, err = loadConfig(osFS)
	says(t, "weak types only", err, "default_tkt_enctypes", "aes256")
	write(t, filepath.Join(more, "c.conf"), []byte("include "+main+"\n"))
	_, err = loadConfig(osFS)
	says(t, "a circle", err, "include each other")
}

// FuzzAccept: any bytes are a request or an error.
func FuzzAccept(f *testing.F) {
	w := newWorld(f, "")
	a := w.acceptor(f)
	token, err := NewInitiator(w.ticket(f, terms{})).Token()
	if err != nil {
		f.Fatal(err)
	}
	if _, _, err := a.Accept(token, here); err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add(token[:len(token)-40])
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, c, err := a.Accept(data, here); (c == nil) != (err != nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}

// FuzzFinish: any bytes are an answer or an error.
func FuzzFinish(f *testing.F) {
	w := newWorld(f, "")
	i := NewInitiator(w.ticket(f, terms{}))
	token, err := i.Token()
	if err != nil {
		f.Fatal(err)
	}
	reply, _, err := w.acceptor(f).Accept(token, here)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(reply)
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := i.Finish(data); (c == nil) != (err != nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}
