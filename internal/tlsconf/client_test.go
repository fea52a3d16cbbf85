package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/property"
)

func init() {
	component.RegisterInterceptor(component.Info{Type: "test_tls_client", Summary: "Embeds the properties of clients."},
		func(ClientConfig, component.Env) (flow.Interceptor, error) { return nil, nil })
}

func decodeClient(t *testing.T, settings ...string) (ClientConfig, property.Problems) {
	t.Helper()
	set := property.Settings{}
	for _, line := range settings {
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Fatalf("bad setting %q", line)
		}
		set[key] = property.Value{Text: value}
	}
	entry, _ := component.Lookup(component.KindInterceptor, "test_tls_client")
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sinks.k1."})
	return d.Config.(ClientConfig), d.Problems
}

// serverCert is trusted by a client that trusts the server itself.
const serverCert = "testdata/server-cert.pem"

func TestClients(t *testing.T) {
	clearGlobals(t)
	server, err := serve(t, "keystore = testdata/server.p12", password)
	if err != nil {
		t.Fatal(err)
	}
	trust := "truststore = " + serverCert
	for name, c := range map[string]struct {
		host     string
		settings []string
		global   string
		says     string // the error; empty for none
	}{
		"trusted":                {host: "localhost", settings: []string{trust}},
		"any name":               {host: "elsewhere", settings: []string{trust}},
		"right name":             {host: "localhost", settings: []string{trust, "verify-hostname = true"}},
		"right address":          {host: "127.0.0.1", settings: []string{trust, "verify-hostname = true"}},
		"wrong name":             {host: "elsewhere", settings: []string{trust, "verify-hostname = true"}, says: "not elsewhere"},
		"another authority":      {host: "localhost", settings: []string{"truststore = testdata/trust.jks", "truststore-password = changeit"}, says: "unknown authority"},
		"without password":       {host: "localhost", settings: []string{"truststore = testdata/trust.jks"}, says: "unknown authority"},
		"PKCS12":                 {host: "localhost", settings: []string{"truststore = testdata/trust.p12", "truststore-password = changeit"}, says: "unknown authority"},
		"the system's":           {host: "localhost", says: "unknown authority"},
		"the system's and name":  {host: "localhost", settings: []string{"verify-hostname = true"}, says: "unknown authority"},
		"anybody":                {host: "elsewhere", settings: []string{"trust-all-certs = true"}},
		"global":                 {host: "localhost", global: serverCert},
		"own store wins":         {host: "localhost", global: "/none.jks", settings: []string{trust}},
		"one suite less":         {host: "localhost", settings: []string{trust, "include-protocols = TLSv1.2", "exclude-cipher-suites = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}},
		"protocol of the choice": {host: "localhost", settings: []string{trust, "exclude-protocols = TLSv1.2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(envTruststore, c.global)
			cfg, problems := decodeClient(t, append([]string{"ssl = true"}, c.settings...)...)
			if problems.HasErrors() {
				t.Fatal(problems)
			}
			client, err := cfg.Client(c.host, vfs.OS{})
			if err != nil {
				t.Fatal(err)
			}
			state, _, clientErr := shake(t, server, client)
			if c.says == "" && clientErr != nil || c.says != "" && (clientErr == nil || !strings.Contains(clientErr.Error(), c.says)) {
				t.Errorf("the handshake ends with %v, wanted %q", clientErr, c.says)
			}
			if name == "protocol of the choice" && state.Version != tls.VersionTLS13 {
				t.Errorf("version %x was chosen", state.Version)
			}
		})
	}
}

// TestClientShowsCertificate: a server that asks gets the certificate of the key store.
func TestClientShowsCertificate(t *testing.T) {
	clearGlobals(t)
	server, err := serve(t, "keystore = testdata/server.p12", password, "client-auth = require",
		"truststore = testdata/trust.jks", "truststore-password = changeit")
	if err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string][]string{
		"PKCS12": {"keystore = testdata/client.p12", password},
		"PEM":    {"keystore = testdata/client.pem"},
		"none":   nil,
	} {
		cfg, _ := decodeClient(t, append([]string{"ssl = true", "truststore = " + serverCert}, settings...)...)
		client, err := cfg.Client("localhost", vfs.OS{})
		if err != nil {
			t.Fatal(err)
		}
		if _, serverErr, _ := shake(t, server, client); (serverErr == nil) != (settings != nil) {
			t.Errorf("%s: the server says %v", name, serverErr)
		}
	}
}

// TestTrustWithoutPassword: a JKS file has the same certificates with its password and
// without; a damaged one is an error.
func TestTrustWithoutPassword(t *testing.T) {
	with, err := readAnyTrust(vfs.OS{}, "testdata/trust.jks", "changeit")
	if err != nil {
		t.Fatal(err)
	}
	without, err := readAnyTrust(vfs.OS{}, "testdata/trust.jks", "")
	if err != nil {
		t.Fatal(err)
	}
	if !with.Equal(without) || with.Equal(x509.NewCertPool()) {
		t.Error("without its password the store has other certificates")
	}
	data, err := os.ReadFile("testdata/trust.jks")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 4, 10, 19, 21, len(data) / 2} {
		name := filepath.Join(t.TempDir(), "cut.jks")
		if err := os.WriteFile(name, data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readAnyTrust(vfs.OS{}, name, ""); err == nil {
			t.Errorf("a store of %d bytes is good", n)
		}
	}
}

// TestKeyStoreAsTrustStore: as in Java, who has a key in the trust store is trusted.
func TestKeyStoreAsTrustStore(t *testing.T) {
	owner, err := readAnyTrust(vfs.OS{}, "testdata/server-cert.pem", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server.jks", "server.p12"} {
		if pool, err := readAnyTrust(vfs.OS{}, "testdata/"+name, "changeit"); err != nil || !pool.Equal(owner) {
			t.Errorf("%s does not trust just the owner of its key: %v", name, err)
		}
	}
}

func TestUnusableClientStores(t *testing.T) {
	clearGlobals(t)
	for _, settings := range [][]string{
		{"truststore = /none.jks"},
		{"truststore = testdata/trust.jks", "truststore-password = wrong"},
		{"truststore = testdata/trust.p12", "truststore-password = wrong"},
		{"truststore = testdata/make.sh"},
		{"keystore = /none.p12"},
		{"keystore = testdata/client.p12", "keystore-password = wrong"},
	} {
		cfg, _ := decodeClient(t, append([]string{"ssl = true"}, settings...)...)
		_, err := cfg.Client("localhost", vfs.OS{})
		key, rest, _ := strings.Cut(settings[0], " = ")
		if err == nil || !strings.Contains(err.Error(), rest) || !strings.Contains(err.Error(), "property "+key) {
			t.Errorf("%v: %v", settings, err)
		}
	}
}

func TestCheckOfClients(t *testing.T) {
	clearGlobals(t)
	for name, c := range map[string]struct{ settings, want []string }{
		"nothing":          {nil, nil},
		"plain":            {[]string{"ssl = true"}, nil},
		"without ssl":      {[]string{"truststore = x", "trust-all-certs = true"}, []string{"warning truststore", "warning trust-all-certs"}},
		"trust all":        {[]string{"ssl = true", "trust-all-certs = true", "truststore = x"}, []string{"advice trust-all-certs", "warning truststore"}},
		"without store":    {[]string{"ssl = true", "keystore-password = x"}, []string{"warning keystore-password"}},
		"nothing left":     {[]string{"ssl = true", "exclude-protocols = TLSv1.2 TLSv1.3"}, []string{"error include-protocols"}},
		"unknown protocol": {[]string{"ssl = true", "exclude-protocols = TLSv1.9"}, []string{"warning exclude-protocols"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := decodeClient(t, c.settings...)
			var got []string
			for _, p := range problems {
				got = append(got, p.Severity.String()+" "+strings.TrimPrefix(p.Key, "a1.sinks.k1."))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\n%v", diff, problems)
			}
		})
	}
}
