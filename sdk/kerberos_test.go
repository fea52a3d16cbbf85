package sdk

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-krb5/krb5/keytab"
)

// withoutKDC makes a krb5.conf that is in use until the test ends, whose KDC is not there, and a keytab of sender.
func withoutKDC(t *testing.T) (keys, kdc string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	kdc = ln.Addr().String()
	ln.Close()
	kt := keytab.New()
	if err := kt.AddEntry("sender", "TEST.EXAMPLE", "secret", time.Now(), 1, 18); err != nil {
		t.Fatal(err)
	}
	data, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keys, conf := filepath.Join(dir, "keytab"), filepath.Join(dir, "krb5.conf")
	text := "[libdefaults]\n default_realm = TEST.EXAMPLE\n udp_preference_limit = 1\n[realms]\n TEST.EXAMPLE = {\n  kdc = " + kdc + "\n }\n"
	if err := errors.Join(os.WriteFile(keys, data, 0o600), os.WriteFile(conf, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KRB5_CONFIG", conf)
	return keys, kdc
}

// What cannot work is told before anything is sent.
func TestKerberosCheck(t *testing.T) {
	keys, _ := withoutKDC(t)
	for _, c := range []struct {
		protocol                    Protocol
		principal, keytab, srv, err string
	}{
		{Thrift, "sender", keys, "flume/a", ""},
		{ThriftBinary, "sender@TEST.EXAMPLE", keys, "flume@TEST.EXAMPLE", ""},
		{Avro, "sender", keys, "flume/a", "use Thrift"},
		{Thrift, "", keys, "flume/a", "Kerberos.Principal"},
		{Thrift, "sender", keys, "flume/", "Kerberos.Server"},
		{Thrift, "sender", keys + ".old", "flume/a", "no such file"},
		{Thrift, "other", keys, "flume/a", "only of sender@TEST.EXAMPLE"},
	} {
		client, err := New(t.Context(), Options{
			Hosts: []string{"a:1"}, Protocol: c.protocol,
			Kerberos: &Kerberos{Principal: c.principal, Keytab: c.keytab, Server: c.srv},
		})
		switch {
		case c.err == "" && err != nil, c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%+v: the error is %v", c, err)
		case err == nil:
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A call that cannot log in says what may be wrong, and that nothing was sent.
func TestKerberosFails(t *testing.T) {
	keys, kdc := withoutKDC(t)
	a := newAgent(t, Thrift)
	a.start()
	c := open(t, Options{
		Hosts: []string{a.addr}, Protocol: Thrift,
		Kerberos: &Kerberos{Principal: "sender", Keytab: keys, Server: "flume@TEST.EXAMPLE"},
	})
	err := c.AppendBatch(t.Context(), made(0, 2))
	var failed *DeliveryError
	if !errors.As(err, &failed) || failed.Unknown || failed.Delivered != 0 {
		t.Fatalf("the error is %#v", err)
	}
	for _, text := range []string{"sender@TEST.EXAMPLE", keys, kdc, "no KDC answers"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error does not say %q: %v", text, err)
		}
	}
	a.has(nil)
}
