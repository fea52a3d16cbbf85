//go:build e2e

package e2e

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flume-go/flume/e2e/harness"
)

// eventSchema is the schema text that Flume writes into the files of the avro_event serializer.
const eventSchema = `{"type":"record","name":"Event","fields":[{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}`

// TestInterceptors sends lines through every interceptor and compares the headers and bodies that the
// header_and_text serializer writes.
func TestInterceptors(t *testing.T) {
	t.Parallel()
	var c topology
	c.netcat("headers", "headers",
		"interceptors = s s2 s3 h h2 t t2 u u2 n",
		"interceptors.s.type = static", "interceptors.s.key = dc", "interceptors.s.value = north west",
		"interceptors.s2.type = static",
		"interceptors.s3.type = static", "interceptors.s3.key = dc", "interceptors.s3.value = lost",
		"interceptors.h.type = host",
		"interceptors.h2.type = HOST", "interceptors.h2.useIP = false", "interceptors.h2.hostHeader = name",
		"interceptors.t.type = timestamp",
		"interceptors.t2.type = org.apache.flume.interceptor.TimestampInterceptor$Builder", "interceptors.t2.headerName = key",
		"interceptors.t2.preserveExisting = true",
		"interceptors.u.type = org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder",
		"interceptors.u2.type = org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder",
		"interceptors.u2.headerName = uid", "interceptors.u2.prefix = p-",
		"interceptors.n.type = static", "interceptors.n.key = dc", "interceptors.n.value = south", "interceptors.n.preserveExisting = false")
	c.store("headers", "sink.serializer = HEADER_AND_TEXT")
	c.netcat("regex", "regex",
		"interceptors = e d r r2 r3",
		"interceptors.e.type = regex_extractor", `interceptors.e.regex = (\\w+)=(\\d+)(?: (x+))?`,
		"interceptors.e.serializers = k v", "interceptors.e.serializers.k.name = k",
		"interceptors.e.serializers.v.type = DEFAULT", "interceptors.e.serializers.v.name = v",
		"interceptors.d.type = regex_extractor", `interceptors.d.regex = at (\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d) (\\w+)`,
		"interceptors.d.serializers = at rest gone",
		"interceptors.d.serializers.at.type = org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer",
		"interceptors.d.serializers.at.pattern = yyyy-MM-dd HH:mm", "interceptors.d.serializers.at.name = at",
		"interceptors.d.serializers.rest.type = org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer",
		"interceptors.d.serializers.rest.name = rest", "interceptors.d.serializers.gone.name = gone",
		"interceptors.r.type = remove_header", "interceptors.r.withName = nothing",
		"interceptors.r2.type = remove_header", "interceptors.r2.fromList = a ; b; rest", `interceptors.r2.fromListSeparator = \\s*;\\s*`,
		"interceptors.r3.type = remove_header", "interceptors.r3.matching = k|ke")
	c.store("regex", "sink.serializer = header_and_text")

	const headers = "{dc=south, host=<own address>, id=<uuid>, key=value, name=<own name>, timestamp=<ms>, uid=p-<uuid>} "
	want := seen{
		"headers": headers + "a\n" + headers + "b\n",
		"regex":   "{v=1} level=1 xx level=2\n{at=1792854000000} at 2026-10-24 20:30 noon\n{} nothing\n",
	}
	conf := c.String()
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf), Env: []string{"TZ=Asia/Kolkata"}})
		harness.Converse(t, site.Addr("headers"), "a\nb\n")
		harness.Converse(t, site.Addr("regex"), "level=1 xx level=2\nat 2026-10-24 20:30 noon\nnothing\n")
		got := seen{"regex": sortHeaders(lines(t, site, "regex", 3))}
		text := sortHeaders(lines(t, site, "headers", 2))
		got["headers"] = mask(text)
		// Where this machine's name stands for the loopback, ours gives another address and name of it.
		if addr := between(text, "host=", ","); isOwnAddress(t, addr) {
			got["headers"] = strings.ReplaceAll(got["headers"], "host="+addr, "host=<own address>")
		}
		if name := between(text, "name=", ","); isOwnName(t, name) {
			got["headers"] = strings.ReplaceAll(got["headers"], "name="+name, "name=<own name>")
		}
		return got
	})
}

// isOwnAddress says whether an IPv4 address, in numbers, is one of this machine's.
func isOwnAddress(t *testing.T, addr string) bool {
	t.Helper()
	ip := net.ParseIP(addr)
	if ip.To4() == nil {
		return false
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(own, func(a net.Addr) bool {
		n, ok := a.(*net.IPNet)
		return ok && (n.IP.Equal(ip) || ip.IsLoopback() && n.Contains(ip))
	})
}

// isOwnName says whether a name, short or full, is one of this machine's.
func isOwnName(t *testing.T, name string) bool {
	t.Helper()
	hostname, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(name, ".")
	short, _, _ := strings.Cut(hostname, ".")
	return first == short || first == "localhost"
}

// between returns what stands between two marks.
func between(text, left, right string) string {
	_, text, _ = strings.Cut(text, left)
	text, _, _ = strings.Cut(text, right)
	return text
}

// TestAvroFiles compares the container files of the avro_event serializer under each codec: schema text,
// codec name and every record.
func TestAvroFiles(t *testing.T) {
	t.Parallel()
	codecs := map[string]string{
		"null": "null", "deflate": "deflate", "snappy": "snappy", "bzip2": "bzip2", "xz": "xz",
		"zstandard": "zstandard", "unknown": "null",
	}
	var (
		c     topology
		names []string
		want  = make(seen)
	)
	bodies := []string{"first", "", "zweites €", strings.Repeat("long ", 80)}
	for name, codec := range codecs {
		names = append(names, name)
		c.store(name, "sink.serializer = avro_event", "sink.serializer.compressionCodec = "+name)
		want[name] = avroText(codec, bodies)
	}
	names = append(names, "plain")
	c.store("plain", "sink.serializer = org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder",
		"sink.serializer.syncIntervalBytes = 64")
	want["plain"] = avroText("null", bodies)
	c.netcat("in", strings.Join(names, " "),
		"interceptors = s", "interceptors.s.type = static", "interceptors.s.key = gr\\u00f6\\u00dfe", "interceptors.s.value = a, b=c")
	conf := c.String()
	differential(t, want, func(t *testing.T, s harness.System) seen {
		site := harness.NewSite(t)
		s.Start(t, harness.Launch{Name: "a1", Conf: site.Expand(conf)})
		harness.Converse(t, site.Addr("in"), strings.Join(bodies, "\n")+"\n")
		got := make(seen)
		for _, name := range names {
			got[name] = containers(t, site, name, len(bodies)).String()
		}
		return got
	})
}

// avroText is what container.String says of a file with these bodies.
func avroText(codec string, bodies []string) string {
	var c = container{codec: codec, schema: eventSchema}
	for _, body := range bodies {
		c.events = append(c.events, event{headers: map[string]string{"größe": "a, b=c"}, body: body})
	}
	return c.String()
}
