package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
	"github.com/flume-go/flume/property"
)

func init() {
	component.RegisterInterceptor(component.Info{Type: "test_tls", Summary: "Embeds the properties."},
		func(Config, component.Env) (flow.Interceptor, error) { return nil, nil })
}

// clearGlobals keeps the environment of whoever runs the tests out of them.
func clearGlobals(t *testing.T) {
	for _, g := range globals {
		t.Setenv(g.variable, "")
	}
}

// decode reads lines "key = value".
func decode(t *testing.T, settings ...string) (Config, property.Problems) {
	t.Helper()
	set := property.Settings{}
	for _, line := range settings {
		key, value, ok := strings.Cut(line, " = ")
		if !ok {
			t.Fatalf("bad setting %q", line)
		}
		set[key] = property.Value{Text: value}
	}
	entry, _ := component.Lookup(component.KindInterceptor, "test_tls")
	d := component.Decode(entry, set, component.Scope{Prefix: "a1.sources.r1."})
	return d.Config.(Config), d.Problems
}

func serve(t *testing.T, settings ...string) (*tls.Config, error) {
	t.Helper()
	cfg, problems := decode(t, append([]string{"ssl = true"}, settings...)...)
	if problems.HasErrors() {
		t.Fatalf("problems:\n%v", problems)
	}
	return cfg.Server(vfs.OS{}, slog.New(slog.DiscardHandler))
}

// shake connects a client to a server and returns what the client then knows and
// the error of each side.
func shake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	// Not a pipe, which has no room: both ends may have something to say at once.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	b, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	a, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	done := make(chan error, 1)
	go func() {
		defer a.Close()
		conn := tls.Server(a, server)
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		done <- err
	}()
	conn := tls.Client(b, client)
	clientErr = conn.Handshake()
	if clientErr == nil {
		// In TLS 1.3 a client learns only now that its certificate was refused.
		_, clientErr = io.ReadFull(conn, make([]byte, 1))
	}
	state = conn.ConnectionState()
	b.Close()
	return state, <-done, clientErr
}

func trusting(t *testing.T, file string) *tls.Config {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

const password = "keystore-password = changeit"

func TestKeyStores(t *testing.T) {
	clearGlobals(t)
	for name, settings := range map[string][]string{
		"JKS":                 {"keystore = testdata/server.jks", "keystore-type = JKS", password},
		"JKS is the default":  {"keystore = testdata/server.jks", password},
		"PKCS12":              {"keystore = testdata/server.p12", "keystore-type = pkcs12", password},
		"PKCS12 called JKS":   {"keystore = testdata/server.p12", "keystore-type = JKS", password},
		"JKS called PKCS12":   {"keystore = testdata/server.jks", "keystore-type = PKCS12", password},
		"PEM":                 {"keystore = testdata/server.pem", "keystore-type = PEM"},
		"PEM in two files":    {"keystore = testdata/server-cert.pem", "keystore-type = PEM", "keystore-key = testdata/server-key.pem"},
		"PEM with a password": {"keystore = testdata/server.pem", password},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := serve(t, settings...)
			if err != nil {
				t.Fatal(err)
			}
			_, serverErr, clientErr := shake(t, server, trusting(t, "server-cert.pem"))
			if serverErr != nil || clientErr != nil {
				t.Errorf("server: %v, client: %v", serverErr, clientErr)
			}
		})
	}
}

func TestUnusableStores(t *testing.T) {
	clearGlobals(t)
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	jks, err := os.ReadFile("testdata/server.jks")
	if err != nil {
		t.Fatal(err)
	}
	clients := []string{"keystore = testdata/server.jks", password, "client-auth = require", "truststore-password = changeit"}
	for name, c := range map[string]struct {
		settings []string
		want     string // in the message
	}{
		"missing":        {[]string{"keystore = " + dir + "/none", password}, "none"},
		"wrong password": {[]string{"keystore = testdata/server.jks", "keystore-password = guess"}, "server.jks"},
		"wrong password of PKCS12": {[]string{"keystore = testdata/server.p12", "keystore-password = guess"},
			"password"},
		"JCEKS":             {[]string{"keystore = testdata/server.jceks", password}, "keytool"},
		"empty":             {[]string{"keystore = " + file("empty", nil), password}, "neither"},
		"not a store":       {[]string{"keystore = " + file("text", []byte("hello")), password}, "neither"},
		"cut":               {[]string{"keystore = " + file("cut", jks[:len(jks)/2]), password}, "cut"},
		"only trust":        {[]string{"keystore = testdata/trust.jks", password}, "no private key"},
		"PEM without key":   {[]string{"keystore = testdata/server-cert.pem", "keystore-type = PEM"}, "server-cert.pem"},
		"key of another":    {[]string{"keystore = testdata/client.pem", "keystore-type = PEM", "keystore-key = testdata/server-key.pem"}, "client.pem"},
		"encrypted":         {[]string{"keystore = " + file("enc", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----")), "keystore-type = PEM"}, "encrypted"},
		"too large":         {[]string{"keystore = " + file("large", make([]byte, maxStore+1)), password}, "larger"},
		"trust missing":     {append(clients, "truststore = "+dir+"/none"), "property truststore"},
		"nobody is trusted": {append(clients, "truststore = "+file("nobody", []byte("-----BEGIN CERTIFICATE-----\n"))), "no trusted certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := serve(t, c.settings...)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	clearGlobals(t)
	known, err := tls.LoadX509KeyPair("testdata/client.pem", "testdata/client.pem")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := tls.LoadX509KeyPair("testdata/server.pem", "testdata/server.pem")
	if err != nil {
		t.Fatal(err)
	}
	for _, trust := range []string{"truststore = testdata/trust.jks", "truststore = testdata/trust.p12", "truststore = testdata/ca.pem"} {
		for _, c := range []struct {
			auth string
			cert *tls.Certificate
			ok   bool
		}{
			{"none", nil, true}, {"none", &stranger, true},
			{"want", nil, true}, {"want", &known, true}, {"want", &stranger, false},
			{"require", nil, false}, {"require", &known, true}, {"require", &stranger, false},
		} {
			server, err := serve(t, "keystore = testdata/server.jks", password,
				"client-auth = "+c.auth, trust, "truststore-password = changeit")
			if err != nil {
				t.Fatal(err)
			}
			client := trusting(t, "server-cert.pem")
			if c.cert != nil {
				// Shown whatever authorities the server names.
				client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.cert, nil }
			}
			_, serverErr, _ := shake(t, server, client)
			if (serverErr == nil) != c.ok {
				t.Errorf("%s, client-auth = %s, certificate %v: %v", trust, c.auth, c.cert != nil, serverErr)
			}
		}
	}
}

func TestProtocolsAndSuites(t *testing.T) {
	clearGlobals(t)
	const ecdsa = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	for _, c := range []struct {
		settings []string
		version  uint16 // that is agreed on; 0: none
		only12   bool   // what the client speaks
		suite    string
	}{
		{nil, tls.VersionTLS13, false, ""},
		{nil, tls.VersionTLS12, true, ""},
		{[]string{"include-protocols = TLSv1.2"}, tls.VersionTLS12, false, ""},
		{[]string{"exclude-protocols = SSLv3 TLSv1.3"}, tls.VersionTLS12, false, ""},
		{[]string{"exclude-protocols = TLSv1.2"}, 0, true, ""},
		{[]string{"include-cipher-suites = " + ecdsa}, tls.VersionTLS12, false, ecdsa},
		{[]string{"exclude-cipher-suites = " + strings.Join(suites13(), " ")}, tls.VersionTLS12, false, ""},
		{[]string{"include-cipher-suites = TLS_AES_128_GCM_SHA256"}, tls.VersionTLS13, false, ""},
		{[]string{"include-cipher-suites = TLS_AES_128_GCM_SHA256"}, 0, true, ""},
		{[]string{"include-cipher-suites = TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"}, tls.VersionTLS12, true, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"},
		{[]string{"exclude-cipher-suites = " + ecdsa}, tls.VersionTLS12, true, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"},
	} {
		server, err := serve(t, append(c.settings, "keystore = testdata/server.jks", password)...)
		if err != nil {
			t.Fatal(err)
		}
		client := trusting(t, "server-cert.pem")
		if c.only12 {
			client.MaxVersion = tls.VersionTLS12
			for _, s := range available() {
				client.CipherSuites = append(client.CipherSuites, s.ID)
			}
		}
		state, serverErr, clientErr := shake(t, server, client)
		if c.version == 0 {
			if serverErr == nil {
				t.Errorf("%v: agreed on %x", c.settings, state.Version)
			}
			continue
		}
		if serverErr != nil || clientErr != nil || state.Version != c.version {
			t.Errorf("%v: server: %v, client: %v, version %x", c.settings, serverErr, clientErr, state.Version)
		}
		if got := tls.CipherSuiteName(state.CipherSuite); c.suite != "" && got != c.suite {
			t.Errorf("%v: suite %s", c.settings, got)
		}
	}
}

func TestCheck(t *testing.T) {
	clearGlobals(t)
	store := []string{"ssl = true", "keystore = x", password}
	for name, c := range map[string]struct {
		settings []string
		want     []string // severity and key
	}{
		"off":                  {nil, nil},
		"without ssl":          {[]string{"keystore = x"}, []string{"warning keystore"}},
		"complete":             {store, nil},
		"no store":             {[]string{"ssl = true"}, []string{"error keystore"}},
		"no password":          {[]string{"ssl = true", "keystore = x"}, []string{"error keystore-password"}},
		"PEM":                  {[]string{"ssl = true", "keystore = x", "keystore-type = pem"}, nil},
		"key for JKS":          {append(store, "keystore-key = y"), []string{"error keystore-key"}},
		"unknown type":         {append(store, "keystore-type = BKS"), []string{"error keystore-type"}},
		"no trust":             {append(store, "client-auth = require"), []string{"error truststore"}},
		"no trust password":    {append(store, "client-auth = require", "truststore = y"), []string{"error truststore-password"}},
		"old protocol":         {append(store, "include-protocols = TLSv1 TLSv1.2"), []string{"warning include-protocols"}},
		"excluding old ones":   {append(store, "exclude-protocols = SSLv3 TLSv1 TLSv1.1 SSLv2Hello"), nil},
		"mistyped protocol":    {append(store, "exclude-protocols = TLS1.2"), []string{"warning exclude-protocols"}},
		"nothing left":         {append(store, "include-protocols = TLSv1.2", "exclude-protocols = TLSv1.2"), []string{"error include-protocols"}},
		"unknown suite":        {append(store, "include-cipher-suites = TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256 TLS_X"), []string{"warning include-cipher-suites"}},
		"some suites of 1.3":   {append(store, "include-cipher-suites = TLS_AES_128_GCM_SHA256"), []string{"advice include-cipher-suites"}},
		"excluding an unknown": {append(store, "exclude-cipher-suites = SSL_RSA_WITH_RC4_128_MD5"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := decode(t, c.settings...)
			var got []string
			for _, p := range problems {
				got = append(got, p.Severity.String()+" "+strings.TrimPrefix(p.Key, "a1.sources.r1."))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s\n%v", diff, problems)
			}
		})
	}
}

func TestGlobals(t *testing.T) {
	clearGlobals(t)
	for k, v := range Environment(map[string]string{
		"javax.net.ssl.keyStore":         "testdata/server.jks",
		"javax.net.ssl.keyStorePassword": "changeit",
		"flume.ssl.include.protocols":    "TLSv1.2, TLSv1.3",
		"flume.ssl.exclude.protocols":    "TLSv1.3",
		"something.else":                 "x",
	}) {
		t.Setenv(k, v)
	}
	for _, c := range []struct {
		settings []string
		version  uint16
	}{
		{nil, tls.VersionTLS12},
		{[]string{"exclude-protocols = SSLv3"}, tls.VersionTLS13}, // replaces the global list
	} {
		server, err := serve(t, c.settings...)
		if err != nil {
			t.Fatal(err)
		}
		state, serverErr, clientErr := shake(t, server, trusting(t, "server-cert.pem"))
		if serverErr != nil || clientErr != nil || state.Version != c.version {
			t.Errorf("%v: server: %v, client: %v, version %x", c.settings, serverErr, clientErr, state.Version)
		}
	}
	if _, problems := decode(t, "keystore = mine"); len(problems) != 1 {
		t.Errorf("global values alone must not turn TLS on: %v", problems)
	}
}

// TestChangedStore: a store that changes is used for the next connection; one
// that cannot be read leaves the old one in use, and is logged once.
func TestChangedStore(t *testing.T) {
	clearGlobals(t)
	store := filepath.Join(t.TempDir(), "store")
	put := func(file string, age time.Duration) {
		data := []byte("damaged")
		if file != "" {
			var err error
			if data, err = os.ReadFile(filepath.Join("testdata", file)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(store, data, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(store, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put("server.p12", 3*time.Hour)
	cfg, _ := decode(t, "ssl = true", "keystore = "+store, password)
	var log bytes.Buffer
	server, err := cfg.Server(vfs.OS{}, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		state, serverErr, clientErr := shake(t, server, &tls.Config{InsecureSkipVerify: true})
		if serverErr != nil || clientErr != nil {
			t.Fatalf("server: %v, client: %v", serverErr, clientErr)
		}
		return state.PeerCertificates[0].Subject.CommonName
	}
	for _, step := range []struct{ file, want string }{
		{"", "localhost"}, {"", "localhost"}, {"second.p12", "second"},
	} {
		put(step.file, time.Hour)
		for range 2 {
			if got := name(); got != step.want {
				t.Errorf("with %q the certificate is that of %q, not %q", step.file, got, step.want)
			}
		}
	}
	if n := strings.Count(log.String(), "cannot be read"); n == 0 || n > 2 {
		t.Errorf("the log:\n%s", log.String())
	}
}
