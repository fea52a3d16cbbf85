package thrift

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/keytab"

	"github.com/flume-go/flume/flow"
)

// realm makes a krb5.conf that is in use until the test ends, whose KDC is not there, and a
// keytab of sender.
func realm(t *testing.T) (keys, kdc string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kdc = ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	kt := keytab.New()
	if err := kt.AddEntry("sender", "TEST.EXAMPLE", "secret", time.Now(), 1, 18); err != nil {
		t.Fatal(err)
	}
	data, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	keys = filepath.Join(dir, "keytab")
	conf := "[libdefaults]\n default_realm = TEST.EXAMPLE\n udp_preference_limit = 1\n[realms]\n TEST.EXAMPLE = {\n  kdc = " + kdc + "\n }\n"
	for path, data := range map[string][]byte{keys: data, filepath.Join(dir, "krb5.conf"): []byte(conf)} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("KRB5_CONFIG", filepath.Join(dir, "krb5.conf"))
	return keys, kdc
}

// TestKerberosCheck: what cannot work is found before the sink starts, as far as this machine
// can tell.
func TestKerberosCheck(t *testing.T) {
	keys, _ := realm(t)
	for _, c := range []struct {
		client, keytab, server, want string
		failed                       bool
	}{
		{"sender", keys, "flume/localhost", "", false},
		{"", keys, "flume/localhost", "client-principal", true},
		{"sender", "", "flume/localhost", "client-keytab", true},
		{"sender", keys, "", "server-principal", true},
		{"sender@", keys, "flume/localhost", "client-principal", true},
		{"sender", keys, "flume@TEST.EXAMPLE", "has no host", true},
		{"sender", keys + ".old", "flume/localhost", "no such file", false},
		{"other", keys, "flume/localhost", "only of sender@TEST.EXAMPLE", false},
	} {
		all := []string{"hostname = h", "port = 1", "kerberos = true"}
		for key, value := range map[string]string{"client-principal": c.client, "client-keytab": c.keytab, "server-principal": c.server} {
			if value != "" {
				all = append(all, key+" = "+value)
			}
		}
		d := decode(all...)
		if got := fmt.Sprint(d.Problems); d.Failed() != c.failed || !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%+v: failed is %v: %s", c, d.Failed(), got)
		}
	}
}

// TestKerberosFails: a batch that the sink could not log in for is kept, and the error names all
// that may be wrong.
func TestKerberosFails(t *testing.T) {
	keys, kdc := realm(t)
	d := newDestination(t, false)
	s, set := open(t, append(settingsFor(d), "kerberos = true", "client-principal = sender", "client-keytab = "+keys,
		"server-principal = flume/localhost")...)
	b := bodies(1)
	defer b.Release()
	err := s.Deliver(t.Context(), b)
	if flow.ClassOf(fmtErr(err)) != flow.ClassRetry {
		t.Errorf("the error is of class %v", flow.ClassOf(fmtErr(err)))
	}
	for _, text := range []string{"sender@TEST.EXAMPLE", keys, kdc, "no KDC answers", "krb5.conf", "client-keytab"} {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("Deliver returned %v, which does not say %q", err, text)
		}
	}
	if n := set.Counter("ConnectionFailedCount").Value(); n != 1 {
		t.Errorf("%d failed connections are counted", n)
	}
	if len(d.sizes) != 0 {
		t.Errorf("calls of %v events", d.sizes)
	}
}
