package sdk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// props reads key=value pairs between blanks.
func props(text string) map[string]string {
	m := map[string]string{}
	for _, pair := range strings.Split(text, ";") {
		if k, v, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			m[k] = v
		}
	}
	return m
}

func TestParse(t *testing.T) {
	t.Parallel()
	const (
		one = "hosts=h1;hosts.h1=a:1;"
		two = "hosts=h1 h2;hosts.h1=a:1;hosts.h2=b:2;"
	)
	base := func(change func(*Options)) Options {
		o := Options{
			Hosts: []string{"a:1"}, BatchSize: 100, ConnectTimeout: 20 * time.Second, RequestTimeout: 20 * time.Second,
		}
		change(&o)
		return o
	}
	for _, tt := range []struct {
		props    string
		want     Options
		warnings []string // parts of them
	}{
		{one, base(func(*Options) {}), nil},
		{one + "client.type=DEFAULT;batch-size=7;connect-timeout=1000;request-timeout=3000", base(func(o *Options) {
			o.BatchSize, o.ConnectTimeout, o.RequestTimeout = 7, time.Second, 3*time.Second
		}), nil},
		{one + "batch-size=0;connect-timeout=999;request-timeout=soon", base(func(*Options) {}),
			[]string{"batch-size", "connect-timeout", "request-timeout"}},
		{two + "client.type=org.apache.flume.api.NettyAvroRpcClient", base(func(*Options) {}), []string{"uses the first one only, h1"}},
		{"hosts=h1;hosts.h1=[::1]:4141", base(func(o *Options) { o.Hosts = []string{"[::1]:4141"} }), nil},
		{one + "compression-type=Deflate", base(func(o *Options) { o.Deflate, o.CompressionLevel = true, 6 }), nil},
		{one + "compression-type=deflate;compression-level=0", base(func(o *Options) { o.Deflate, o.stored = true, true }), nil},
		{one + "compression-type=deflate;compression-level=best", base(func(o *Options) { o.Deflate, o.CompressionLevel = true, 6 }), []string{"compression-level"}},
		{one + "compression-type=snappy;maxIoWorkers=3", base(func(*Options) {}), []string{`no "snappy"`, "maxIoWorkers"}},
		{one + "batch_size=3", base(func(*Options) {}), []string{"batch-size"}},
		{one + "client.type=thrift", base(func(o *Options) { o.Protocol, o.MaxConnections = Thrift, 5 }), nil},
		{one + "client.type=Thrift;protocol=binary;maxConnections=2", base(func(o *Options) { o.Protocol, o.MaxConnections = ThriftBinary, 2 }), nil},
		{one + "client.type=thrift;protocol=BINARY;maxConnections=0;compression-type=deflate", base(func(o *Options) { o.Protocol, o.MaxConnections = Thrift, 5 }),
			[]string{"write it in lower case", "maxConnections", "compression-type"}},
		{one + "client.type=thrift;protocol=json", base(func(o *Options) { o.Protocol, o.MaxConnections = Thrift, 5 }), []string{`no protocol "json"`}},
		{two + "client.type=default_failover", base(func(o *Options) { o.Hosts, o.Strategy = []string{"a:1", "b:2"}, Failover }), nil},
		{two + "client.type=DEFAULT_FAILOVER;max-attempts=5", base(func(o *Options) { o.Hosts, o.Strategy, o.MaxAttempts = []string{"a:1", "b:2"}, Failover, 5 }), nil},
		{two + "client.type=default_failover;max-attempts=many", base(func(o *Options) { o.Hosts, o.Strategy = []string{"a:1", "b:2"}, Failover }), []string{"max-attempts"}},
		{"hosts=h1 h2;hosts.h1=a:1;client.type=default_failover", base(func(o *Options) { o.Strategy = Failover }), []string{`"h2" has no address`}},
		{two + "client.type=default_loadbalance", base(func(o *Options) {
			o.Hosts, o.Strategy, o.MaxBackoff = []string{"a:1", "b:2"}, RoundRobin, 30*time.Second
		}), nil},
		{two + "client.type=default_loadbalance;host-selector=random;backoff=TRUE;maxBackoff=0", base(func(o *Options) {
			o.Hosts, o.Strategy, o.Backoff = []string{"a:1", "b:2"}, Random, true
		}), nil},
		{one + "maxBackoff=long", base(func(*Options) {}), []string{"maxBackoff"}},
		{one + "client.type=thrift;kerberos=true;client-principal=c;client-keytab=k;server-principal=flume/a@R", base(func(o *Options) {
			o.Protocol, o.MaxConnections, o.Kerberos = Thrift, 5, &Kerberos{Principal: "c", Keytab: "k", Server: "flume/a@R"}
		}), nil},
		{one + "client.type=thrift;client-keytab=k", base(func(o *Options) { o.Protocol, o.MaxConnections = Thrift, 5 }),
			[]string{"client-keytab: has no effect without kerberos = true"}},
		{one + "kerberos=true;client-keytab=k", base(func(*Options) {}), []string{"kerberos: has no effect with client.type default"}},
		{one + "ssl=yes", base(func(*Options) {}), []string{"ssl"}},
	} {
		o, warnings, err := Parse(props(tt.props))
		if err != nil {
			t.Errorf("%s: %v", tt.props, err)
			continue
		}
		if diff := cmp.Diff(tt.want, o, cmp.AllowUnexported(Options{}), cmpopts.IgnoreFields(Options{}, "secure")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.props, diff)
		}
		if len(warnings) != len(tt.warnings) {
			t.Errorf("%s: warnings %q, want %q", tt.props, warnings, tt.warnings)
			continue
		}
		all := strings.Join(warnings, "\n")
		for _, w := range tt.warnings {
			if !strings.Contains(all, w) {
				t.Errorf("%s: warnings %q, want %q", tt.props, warnings, w)
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const one = "hosts=h1;hosts.h1=a:1;"
	for in, want := range map[string]string{
		"":                                              "hosts: is required",
		"hosts=h1":                                      `the host "h1" has no address`,
		"hosts=h1;client.type=default_failover":         "none of the hosts has an address",
		"hosts=h1;hosts.h1=a:b":                         "not of the form host:port",
		"hosts=h1;hosts.h1=::1:4141":                    "too many colons",
		one + "client.type=default_failovr":             `did you mean "default_failover"?`,
		one + "client.type=org.example.Mine":            `there is no client "org.example.Mine"`,
		one + "client.type=default_loadbalance":         "needs at least two",
		one + "client.type=thrift;request-timeout=soon": `request-timeout: "soon" is not a number`,
		one + "client.type=thrift;maxConnections=few":   `maxConnections: "few" is not a number`,
		one + "client.type=thrift;kerberos=true":        "server-principal: is needed",
		one + "client.type=thrift;kerberos=true;client-principal=c;client-keytab=k;server-principal=flume@R": "has no host",
		one + "ssl=true;truststore=/none;truststore-type=JKS":                                                "reading trust store /none",
		"hosts=h1 h2;hosts.h1=a:1;hosts.h2=b:2;client.type=default_loadbalance;host-selector=first":          `no selector "first"`,
		"hosts=h1 h2;hosts.h1=a:1;hosts.h2=b:2;client.type=default_loadbalance;maxBackoff=long":              `maxBackoff: "long"`,
	} {
		if _, _, err := Parse(props(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error is %v, want %q", in, err, want)
		}
	}
}

// TestOpen connects by the properties of a file, with TLS.
func TestOpen(t *testing.T) {
	t.Parallel()
	a := newAgent(t, Avro)
	a.secure, _ = certificates()
	a.start()
	path := filepath.Join(t.TempDir(), "client.properties")
	for more, works := range map[string]bool{"": false, "trust-all-certs = true\n": true} {
		text := "hosts = h1\nhosts.h1 = " + a.addr + "\nssl = true\nbatch-size = 3\n" + more
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := OpenFile(t.Context(), path)
		if (err == nil) != works {
			t.Errorf("with %q the error is %v", more, err)
		}
		if err != nil {
			continue
		}
		if err := c.AppendBatch(t.Context(), made(0, 5)); err != nil {
			t.Error(err)
		}
		a.has(made(0, 5), 3, 2)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := OpenFile(t.Context(), path+".none"); err == nil {
		t.Error("a missing file was read")
	}
	if _, err := Open(t.Context(), nil); err == nil {
		t.Error("a client without properties")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("hosts=h1;hosts.h1=a:1;client.type=thrift;protocol=binary")
	f.Add("hosts=h1 h2;hosts.h1=a:1;hosts.h2=[::1]:2;client.type=default_loadbalance;backoff=true;maxBackoff=-1")
	f.Add("hosts= ;batch-size=9999999999999999999;connect-timeout=-1;max-attempts=0")
	f.Fuzz(func(t *testing.T, text string) {
		p := props(text)
		delete(p, "truststore") // no files
		delete(p, "keystore")
		o, _, err := Parse(p)
		if err != nil {
			return
		}
		if err := o.check(); err != nil {
			t.Errorf("what was parsed cannot be used: %v", err)
		}
	})
}
