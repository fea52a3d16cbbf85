//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/e2e/harness"
)

// The principals of these tests. Everything listens on localhost, which is the host of the service.
const (
	kerberosService = "flume/localhost@" + harness.Realm
	kerberosClient  = "sender@" + harness.Realm
)

// kerberosWays are the ways to protect the connection besides.
func kerberosWays(t *testing.T) []listener {
	t.Helper()
	return slices.DeleteFunc(thriftListeners(t), func(l listener) bool { return l.name == "binary" })
}

// kerberosReceiver is an agent with thrift sources that want Kerberos.
func kerberosReceiver(listeners []listener, principal, keytab string) string {
	var c topology
	for _, l := range listeners {
		c.source(l.name, l.name, "bind = 127.0.0.1", "port = <port "+l.name+">",
			"kerberos = true", "agent-principal = "+principal, "agent-keytab = "+keytab)
		c.add("sources", l.name, l.source...)
		c.store(l.name, "sink.serializer = header_and_text")
	}
	return c.String()
}

// kerberosSender is an agent with thrift sinks that say who they are, behind netcat sources. A property in more replaces
// one of these.
func kerberosSender(listeners []listener, keytab string, more ...string) string {
	var c topology
	for _, l := range listeners {
		c.netcat("in-"+l.name, "out-"+l.name)
		c.channel("out-"+l.name, "type = memory", "capacity = 1000", "keep-alive = 1")
		c.sink("out-"+l.name, "out-"+l.name, "hostname = localhost", "port = <port "+l.name+">", "batch-size = 40",
			"kerberos = true", "client-principal = "+kerberosClient, "client-keytab = "+keytab, "server-principal = "+kerberosService)
		c.add("sinks", "out-"+l.name, l.sink...)
		c.add("sinks", "out-"+l.name, more...)
	}
	return c.String()
}

// plainWay is the one without TLS.
func plainWay() []listener {
	return []listener{{"compact", []string{"type = thrift"}, []string{"type = thrift"}, []string{"client.type=thrift"}}}
}

// TestKerberosTiers sends through two agents that say who they are, with Java Flume and ours on either side, with
// and without TLS.
func TestKerberosTiers(t *testing.T) {
	t.Parallel()
	kdc, listeners := harness.NewKDC(t), kerberosWays(t)
	service, client := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient)
	var input, want strings.Builder
	for i := range 250 {
		fmt.Fprintf(&input, "event %03d\n", i)
		fmt.Fprintf(&want, "{} event %03d\n", i)
	}
	for _, from := range kdc.SecureSystems() {
		for _, to := range kdc.SecureSystems() {
			t.Run(from.Name+"-"+to.Name, func(t *testing.T) {
				t.Parallel()
				site := harness.NewSite(t)
				to.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(listeners, kerberosService, service))})
				for _, l := range listeners {
					harness.Dial(t, site.Addr(l.name)).Close()
				}
				from.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosSender(listeners, client))})
				for _, l := range listeners {
					harness.Converse(t, site.Addr("in-"+l.name), input.String())
					sorted := kerberosStored(t, site, l.name, 250)
					if diff := cmp.Diff(want.String(), sorted); diff != "" {
						t.Errorf("%s (-sent +received):\n%s", l.name, diff)
					}
				}
			})
		}
	}
}

// kerberosStored waits for n different events and returns them sorted: a resend may repeat and reorder them.
func kerberosStored(t *testing.T, site *harness.Site, name string, n int) string {
	t.Helper()
	var all []string
	harness.Eventually(t, 60*time.Second, fmt.Sprintf("%d events of %s", n, name), func() bool {
		all = strings.SplitAfter(harness.ReadFiles(t, site.Dir(name)), "\n")
		slices.Sort(all)
		all = slices.Compact(all)
		return len(all) >= n+1 // the empty one behind the last line
	})
	return strings.Join(all, "")
}

// TestKerberosJavaClient sends with Flume's secure client library, which must also notice a source that it should not
// trust.
func TestKerberosJavaClient(t *testing.T) {
	t.Parallel()
	kdc, listeners := harness.NewKDC(t), kerberosWays(t)
	service, client := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient)
	for _, s := range kdc.SecureSystems() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			site := harness.NewSite(t)
			s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(listeners, kerberosService, service))})
			for _, l := range listeners {
				harness.Dial(t, site.Addr(l.name)).Close()
				args := append([]string{"hosts=h1", fmt.Sprintf("hosts.h1=localhost:%d", site.Port(l.name)), "batch-size=2",
					"kerberos=true", "client-principal=" + kerberosClient, "client-keytab=" + client, "server-principal=" + kerberosService}, l.client...)
				out, status := kdc.RunJavaClient(t, "RpcSend", "one\nzwei €\n\nsingle\n", args...)
				if status != 0 || !strings.Contains(out, "sent 4\n") {
					t.Errorf("%s: the client ended with status %d:\n%s", l.name, status, out)
				}
				if diff := cmp.Diff("{n=0} one\n{n=1} zwei €\n{n=2} \n{n=3} single\n", kerberosStored(t, site, l.name, 4)); diff != "" {
					t.Errorf("%s (-sent +received):\n%s", l.name, diff)
				}
			}
		})
	}
}

// TestKerberosPython sends with a client on the GSS-API of MIT Kerberos.
func TestKerberosPython(t *testing.T) {
	t.Parallel()
	code, kdc := generated(t), harness.NewKDC(t)
	service, client := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient)
	site := harness.NewSite(t)
	source := kdc.SecureSystems()[1].Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(plainWay(), kerberosService, service))})
	harness.Dial(t, site.Addr("compact")).Close()

	cache := "KRB5CCNAME=" + filepath.Join(t.TempDir(), "tickets")
	script, err := filepath.Abs("thrift/secure.py")
	if err != nil {
		t.Fatal(err)
	}
	kinit := func(more ...string) {
		t.Helper()
		if out, status := kdc.Run([]string{cache}, append([]string{"kinit", "-k", "-t", client}, append(more, kerberosClient)...)...); status != 0 {
			t.Fatalf("kinit ended with status %d: %s", status, out)
		}
	}
	run := func(env []string, what ...string) string {
		t.Helper()
		argv := []string{"/usr/bin/python3", script, code, fmt.Sprint(site.Port("compact")), "flume@localhost"}
		out, _ := kdc.Run(append(slices.Clip(env), cache), append(argv, what...)...)
		return out
	}
	expect := func(what, got, want string) {
		t.Helper()
		if !strings.Contains(got, want) {
			t.Errorf("%s: the client printed %q, not %q", what, got, want)
		}
	}

	expect("without a ticket", run(nil, "send", "3"), "failed:")
	kinit()
	expect("with a ticket", run(nil, "send", "3"), "0\n0\n")
	want := "{n=0} python 0\n{n=1} python 1\n{n=2} python 2\n{} last\n"
	if diff := cmp.Diff(want, kerberosStored(t, site, "compact", 4)); diff != "" {
		t.Errorf("(-sent +received):\n%s", diff)
	}
	expect("as itself", run(nil, "act", kerberosClient), "")
	expect("as somebody else", run(nil, "act", "root@"+harness.Realm), "acts as itself only")
	expect("a repetition", run(nil, "repeat"), "made before")
	// The ticket is there already, so that the KDC is not asked: the clock is the source's business.
	expect("a clock that is fast", run(harness.OffClock("+20m"), "send", "1"), "set the clocks")
	// A service that the KDC knows, but this source is not.
	kdc.Keytab("other/localhost")
	out, _ := kdc.Run([]string{cache}, "/usr/bin/python3", script, code, fmt.Sprint(site.Port("compact")), "other@localhost", "send", "1")
	expect("a ticket for another service", out, "this service is "+kerberosService)
	// A client that shows nothing, and one that begins only.
	if got := harness.Converse(t, site.Addr("compact"), "\x00\x00\x00\x18\x82\x21\x01\x06append\x1c\x1b\x01"); got != "" {
		t.Errorf("a client without Kerberos is answered %q", got)
	}
	// The service gets new keys, and the source's keytab still has the old ones only.
	kdc.Keytab(kerberosService)
	kinit()
	expect("new keys at the KDC", run(nil, "send", "1"), "export them to the keytab again")
	// They are exported, and the running source takes them.
	kdc.Admin("ktadd -norandkey -k " + service + " " + kerberosService)
	expect("new keys in the keytab", run(nil, "send", "1"), "0\n0\n")
	// One line for each client and minute: the first one.
	for _, text := range []string{"no agreement on Kerberos", "acts as itself only"} {
		if !strings.Contains(source.Output(), text) {
			t.Errorf("the source's log does not say %q:\n%s", text, source.Output())
		}
	}
}

// TestKerberosRecovers has our sink fail in every way in which logging in can fail; the log says why and what
// to do, and once that is done everything arrives.
func TestKerberosRecovers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		// harm returns the sink's keytab, and what mends it.
		harm func(t *testing.T, k *harness.KDC, good string) (keytab string, mend func())
		says []string
	}{
		{"no KDC", func(t *testing.T, k *harness.KDC, good string) (string, func()) {
			k.Stop()
			return good, func() { k.Start() }
		}, []string{"no KDC answers", kerberosClient}},
		{"wrong clock", func(t *testing.T, k *harness.KDC, good string) (string, func()) {
			k.Stop()
			k.Start(harness.OffClock("+20m")...)
			return good, func() {
				k.Stop()
				k.Start()
			}
		}, []string{"the clocks of this machine and of the KDC differ too much", "(NTP)"}},
		{"old keytab", func(t *testing.T, k *harness.KDC, good string) (string, func()) {
			newer := k.Keytab(kerberosClient)
			return good, func() { copyFile(t, newer, good) }
		}, []string{"the keytab has another key than the KDC; export the keytab again", kerberosClient}},
		{"another's keytab", func(t *testing.T, k *harness.KDC, good string) (string, func()) {
			other := k.Keytab("other")
			return other, func() { copyFile(t, good, other) }
		}, []string{"has no key of " + kerberosClient + ", only of other@" + harness.Realm}},
		{"no keytab", func(t *testing.T, _ *harness.KDC, good string) (string, func()) {
			return good + ".missing", func() { copyFile(t, good, good+".missing") }
		}, []string{"reading keytab", "no such file", "ktadd"}},
		{"unknown client", func(t *testing.T, k *harness.KDC, good string) (string, func()) {
			k.Admin("delprinc -force " + kerberosClient)
			return good, func() {
				k.Admin("addprinc -randkey +requires_preauth " + kerberosClient)
				k.Admin("ktadd -k " + good + " " + kerberosClient)
			}
		}, []string{"KDC_ERR_C_PRINCIPAL_UNKNOWN", "does not know the principal"}},
		{"unknown service", func(t *testing.T, k *harness.KDC, good string) (string, func()) {
			k.Admin("renprinc -force " + kerberosService + " gone/localhost")
			return good, func() { k.Admin("renprinc -force gone/localhost " + kerberosService) }
		}, []string{"KDC_ERR_S_PRINCIPAL_UNKNOWN", "does not know the service"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			kdc, site := harness.NewKDC(t), harness.NewSite(t)
			service, client := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient)
			ours := kdc.SecureSystems()[1]
			ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(plainWay(), kerberosService, service))})
			harness.Dial(t, site.Addr("compact")).Close()
			keytab, mend := c.harm(t, kdc, client)
			sender := ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosSender(plainWay(), keytab))})
			harness.Converse(t, site.Addr("in-compact"), "one\ntwo\n")
			for _, text := range c.says {
				harness.Eventually(t, 30*time.Second, fmt.Sprintf("the log to say %q", text), func() bool {
					return strings.Contains(sender.Output(), text)
				})
			}
			if got := harness.ReadFiles(t, site.Dir("compact")); got != "" {
				t.Errorf("the source has stored %q", got)
			}
			mend()
			if diff := cmp.Diff("{} one\n{} two\n", kerberosStored(t, site, "compact", 2)); diff != "" {
				t.Errorf("(-sent +received):\n%s", diff)
			}
		})
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestKerberosRenewal has tickets that last six seconds, and a sink that connects anew each second: it logs in again
// by itself, before they end.
func TestKerberosRenewal(t *testing.T) {
	t.Parallel()
	kdc, site := harness.NewKDC(t), harness.NewSite(t)
	service, client := kdc.Keytab(kerberosService), kdc.Keytab(kerberosClient)
	kdc.Admin(`modprinc -maxlife "6 seconds" ` + kerberosClient)
	ours := kdc.SecureSystems()[1]
	ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosReceiver(plainWay(), kerberosService, service))})
	harness.Dial(t, site.Addr("compact")).Close()
	sender := ours.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(kerberosSender(plainWay(), client, "reset-connection-interval = 1"))})
	var want strings.Builder
	for i := 0; strings.Count(sender.Output(), "logged in with Kerberos") < 4; i++ {
		if i == 60 {
			t.Fatalf("the sink has not logged in four times in %d seconds", i)
		}
		line := fmt.Sprintf("event %02d\n", i)
		fmt.Fprintf(&want, "{} %s", line)
		harness.Converse(t, site.Addr("in-compact"), line)
		if diff := cmp.Diff(want.String(), kerberosStored(t, site, "compact", i+1)); diff != "" {
			t.Fatalf("(-sent +received):\n%s", diff)
		}
		<-time.After(time.Second)
	}
	if strings.Contains(sender.Output(), "expired") {
		t.Errorf("a ticket was used for too long:\n%s", sender.Output())
	}
}
