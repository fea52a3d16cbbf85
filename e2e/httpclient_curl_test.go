//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"github.com/flume-go/flume/e2e/harness"
)

// curl runs curl with these arguments and returns what it prints by the given format: the status by default.
func curl(t *testing.T, format string, args ...string) string {
	t.Helper()
	if format == "" {
		format = "%{http_code}"
	}
	argv := append([]string{"curl", "-s", "-S", "-m", "20", "-o", "/dev/null", "-w", format}, args...)
	out, status := harness.RunProgram(t, harness.Program{Argv: argv, Dir: t.TempDir()})
	if status != 0 {
		t.Errorf("curl ended with status %d: %s\nfor %q", status, out, args)
	}
	return out
}

var asJSON = []string{"-H", "Content-Type: application/json"}

// TestCurl sends with curl to the HTTP sources of Apache Flume and ours: the status of each request and the
// events stored are the same.
func TestCurl(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "events.json")
	harness.WriteFile(t, file, `[{"headers":{"host":"web-1"},"body":"of a file"},{"body":"€"}]`)
	requests := []struct {
		name, status string
		args         []string
		path         string
	}{
		{"array", "200", []string{"-d", `[{"headers":{"a":"b"},"body":"array"}]`}, ""},
		{"of a file", "200", []string{"--data-binary", "@" + file}, ""},
		{"chunked", "200", []string{"-H", "Transfer-Encoding: chunked", "-d", `[{"body":"chunked"}]`}, ""},
		{"upload in chunks", "200", []string{"-X", "POST", "-T", file, "-H", "Transfer-Encoding: chunked"}, ""},
		{"version 1.0", "200", []string{"-0", "-d", `[{"body":"version 1.0"}]`}, ""},
		{"expect", "200", []string{"-H", "Expect: 100-continue", "-d", `[{"body":"expect"}]`}, ""},
		{"upgrade", "200", []string{"--http2", "-d", `[{"body":"upgrade"}]`}, ""},
		{"path and query", "200", []string{"-d", `[{"body":"path and query"}]`}, "/some/where?x=1&y=%20"},
		{"empty array", "200", []string{"-d", `[]`}, ""},
		{"empty event", "200", []string{"-d", `[{}]`}, ""},
		{"charset", "200", []string{"-H", "Content-Type: application/json; charset=UTF-8", "-d", `[{"body":"zeichen €"}]`}, ""},
		{"unknown charset", "500", []string{"-H", "Content-Type: application/json; charset=ISO-8859-15", "-d", `[{"body":"x"}]`}, ""},
		{"text, which is ISO-8859-1", "200", []string{"-H", "Content-Type: text/plain", "-d", `[{"body":"é"}]`}, ""},
		{"headers of numbers", "200", []string{"-d", `[{"headers":{"n":1,"b":true},"body":"numbers"}]`}, ""},
		{"two bodies", "200", []string{"-d", `[{"body":"first","body":"last"}]`}, ""},
		{"two headers", "400", []string{"-d", `[{"headers":{"a":"1","a":"2"},"body":"x"}]`}, ""},
		{"object", "400", []string{"-d", `{"body":"x"}`}, ""},
		{"torn", "400", []string{"-d", `[{"body":"x"`}, ""},
		{"garbage", "400", []string{"-d", `hello`}, ""},
		{"behind the array", "400", []string{"-d", `[{"body":"x"}] more`}, ""},
		{"null", "500", []string{"-d", `[null]`}, ""},
		{"empty", "500", []string{"-d", ``}, ""},
		{"GET without content", "500", nil, ""},
		{"HEAD", "500", []string{"-I"}, ""},
		{"GET with content", "200", []string{"-X", "GET", "-d", `[{"body":"GET"}]`}, ""},
		{"PUT", "405", []string{"-X", "PUT", "-d", `[{"body":"x"}]`}, ""},
		{"DELETE", "405", []string{"-X", "DELETE"}, ""},
		{"OPTIONS", "403", []string{"-X", "OPTIONS"}, ""},
		{"TRACE", "403", []string{"-X", "TRACE"}, ""},
		{"PATCH", "501", []string{"-X", "PATCH", "-d", `[{"body":"x"}]`}, ""},
		{"keep-alive", "200 1 200 0", []string{"-d", `[{"body":"first"}]`, "<url>", "--next", "-s", "-d", `[{"body":"second"}]`,
			"-H", "Content-Type: application/json", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}"}, ""}, // the second URL
	}
	want := seen{"out": "{a=b} array\n{host=web-1} of a file\n{} €\n{} chunked\n{host=web-1} of a file\n{} €\n{} version 1.0\n" +
		"{} expect\n{} upgrade\n{} path and query\n{} \n{} zeichen €\n{} Ã©\n{b=true, n=1} numbers\n{} last\n{} GET\n{} first\n{} second\n"}
	for _, r := range requests {
		want[r.name] = r.status
	}
	var conf topology
	conf.source("h", "out", "type = http", "bind = 127.0.0.1", "port = <port h>")
	conf.store("out", "sink.serializer = header_and_text")
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf.String())})
		harness.Dial(t, site.Addr("h")).Close()
		url, got := "http://"+site.Addr("h"), make(seen)
		for _, r := range requests {
			format, args := "", []string{}
			for _, a := range r.args {
				args = append(args, strings.ReplaceAll(a, "<url>", url))
			}
			if !strings.Contains(strings.Join(args, " "), "Content-Type") || r.name == "keep-alive" {
				args = append(slices.Clone(asJSON), args...)
			}
			if r.name == "keep-alive" {
				format = "%{http_code} %{num_connects} "
			}
			got[r.name] = curl(t, format, append(args, url+r.path)...)
		}
		harness.Poll(deliveryLimit, func() bool {
			got["out"] = sortHeaders(harness.ReadFiles(t, site.Dir("out")))
			return got["out"] == want["out"]
		})
		return got
	})
}

// ownCurl is our agent with one HTTP source with these settings.
func ownCurl(t *testing.T, settings ...string) *harness.Site {
	t.Helper()
	site := harness.NewSite(t)
	var conf topology
	conf.source("h", "out", append([]string{"type = http", "bind = 127.0.0.1", "port = <port h>"}, settings...)...)
	conf.store("out")
	harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(conf.String())})
	harness.Dial(t, site.Addr("h")).Close()
	return site
}

// TestCurlOwn sends with curl what only our source takes.
func TestCurlOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	packed := filepath.Join(dir, "events.json.gz")
	f, err := os.Create(packed)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	fmt.Fprint(z, `[{"body":"packed"}]`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	t.Run("gzip and keys", func(t *testing.T) {
		t.Parallel()
		site := ownCurl(t, "idempotencyKeys = 10")
		url := "http://" + site.Addr("h")
		for _, c := range []struct {
			status string
			args   []string
		}{
			{"200", []string{"-H", "Content-Encoding: gzip", "--data-binary", "@" + packed}},
			{"400", []string{"-H", "Content-Encoding: gzip", "-d", `[{"body":"not packed"}]`}},
			{"415", []string{"-H", "Content-Encoding: br", "-d", `[{"body":"x"}]`}},
			{"200", []string{"-H", "Idempotency-Key: 1", "-d", `[{"body":"once"}]`}},
			{"200", []string{"-H", "Idempotency-Key: 1", "-d", `[{"body":"once"}]`}},
			{"422", []string{"-H", "Idempotency-Key: 1", "-d", `[{"body":"another"}]`}},
			{"200", []string{"-H", "Idempotency-Key: 2", "-d", `[{"body":"once more"}]`}},
		} {
			if got := curl(t, "", append(append(c.args, asJSON...), url)...); got != c.status {
				t.Errorf("%q is answered with %s, want %s", c.args, got, c.status)
			}
		}
		requireStored(t, site, "packed\nonce\nonce more\n")
	})
	t.Run("TLS and credentials", func(t *testing.T) {
		t.Parallel()
		cert, key := certificate(t, dir)
		site := ownCurl(t, "ssl = true", "keystore = "+cert, "keystore-type = PEM", "keystore-key = "+key,
			"auth.token = t0ken", "auth.user = web", "auth.password = secret")
		url := "https://localhost:" + fmt.Sprint(site.Port("h"))
		body := []string{"-d", `[{"body":"over TLS"}]`, "--resolve", fmt.Sprintf("localhost:%d:127.0.0.1", site.Port("h")), "--cacert", cert}
		for _, c := range []struct {
			want string
			args []string
		}{
			{"401 2", nil},
			{"401 2", []string{"-u", "web:wrong"}},
			{"401 2", []string{"-H", "Authorization: Bearer wrong"}},
			{"200 2", []string{"-u", "web:secret"}},
			{"200 2", []string{"-H", "Authorization: Bearer t0ken"}},
			{"200 1.1", []string{"--http1.1", "-u", "web:secret"}},
		} {
			if got := curl(t, "%{http_code} %{http_version}", append(append(append(c.args, body...), asJSON...), url)...); got != c.want {
				t.Errorf("%q is answered with %s, want %s", c.args, got, c.want)
			}
		}
		out, status := harness.RunProgram(t, harness.Program{Argv: []string{"curl", "-s", "-S", url, "-d", "[]"}, Dir: dir})
		if status != 60 {
			t.Errorf("a client that does not know the certificate ended with status %d, want 60: %s", status, out)
		}
		requireStored(t, site, strings.Repeat("over TLS\n", 3))
	})
}

// TestCurlFullChannel sends to a source whose channel is full, and to one that has too many requests.
func TestCurlFullChannel(t *testing.T) {
	t.Parallel()
	site := harness.NewSite(t)
	var conf topology
	conf.source("h", "c", "type = http", "bind = 127.0.0.1", "port = <port h>", "retryAfter = 7")
	conf.channel("c", "type = memory", "capacity = 2", "transactionCapacity = 2", "keep-alive = 0")
	conf.sink("k", "c", "type = file_roll", "sink.directory = <path out>", "sink.batchSize = 2", "sink.rollInterval = 0")
	conf.source("l", "c", "type = http", "bind = 127.0.0.1", "port = <port l>", "maxClientRate = 1", "clientBurst = 2")
	harness.StartFlume(t, harness.Launch{Name: "a1", Conf: site.Expand(conf.String())})
	for _, c := range []struct{ port, body, want string }{
		{"h", `[{"body":"1"},{"body":"2"}]`, "200 "},
		{"h", `[{"body":"3"}]`, "503 7"},
		{"l", `[]`, "200 "},
		{"l", `[]`, "200 "},
		{"l", `[]`, "429 1"},
	} {
		harness.Eventually(t, deliveryLimit, "a listener", func() bool {
			_, status := harness.RunProgram(t, harness.Program{Argv: []string{"curl", "-s", "-X", "TRACE", "-o", "/dev/null", "http://" + site.Addr(c.port)}, Dir: site.Dir("tmp")})
			return status == 0
		})
		if got := curl(t, "%{http_code} %header{retry-after}", append(asJSON, "-d", c.body, "http://"+site.Addr(c.port))...); got != c.want {
			t.Errorf("%s is answered with %q, want %q", c.body, got, c.want)
		}
	}
	requireStored(t, site, "1\n2\n") // which makes the directory that the sink waits for
}

// requireStored waits until the store out has this text.
func requireStored(t *testing.T, site *harness.Site, want string) {
	t.Helper()
	var got string
	if !harness.Poll(deliveryLimit, func() bool { got = harness.ReadFiles(t, site.Dir("out")); return got == want }) {
		t.Errorf("stored is %q, want %q", got, want)
	}
}

// certificate makes a certificate for localhost with openssl.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	out, status := harness.RunProgram(t, harness.Program{Dir: dir, Argv: []string{"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
		"ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert}})
	if status != 0 {
		t.Fatalf("openssl ended with status %d: %s", status, out)
	}
	return cert, key
}
