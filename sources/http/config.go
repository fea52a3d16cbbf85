package http

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/tlsconf"
)

// Config is the properties of the source.
type Config struct {
	Bind    string `flume:"bind" default:"0.0.0.0" doc:"Host name or address to listen on; 0.0.0.0 for all."`
	Port    int    `flume:"port,required" min:"0" max:"65535" doc:"TCP port to listen on; 0 picks a free one, which the log tells."`
	Handler string `flume:"handler" default:"org.apache.flume.source.http.JSONHandler" doc:"What turns requests into events: json (Flume's JSONHandler), ndjson, blob (Flume's BlobHandler), or one of Flume's classes."`

	MaxBlobLength       int    `flume:"handler.maxBlobLength" default:"100000000" min:"1" unit:"bytes" doc:"For blob: longest body of an event. The rest of a longer request is dropped, which is logged."`
	MandatoryParameters string `flume:"handler.mandatoryParameters" doc:"For org.apache.flume.source.http.BLOBHandler: names of parameters, separated by commas alone, that each request must have."`
	MalformedInput      string `flume:"handler.malformedInput" default:"replace" enum:"replace,keep,reject" doc:"For json and ndjson: what to do with bytes that are not valid UTF-8: replace them by U+FFFD as Flume does, keep them, or refuse the request."`
	AssumedCharset      string `flume:"handler.assumedCharset" enum:"ISO-8859-1,UTF-8" doc:"For json and ndjson: character set of requests that name none and whose Content-Type is not that of JSON. Without, ISO-8859-1 for json, as in Flume, and UTF-8 for ndjson."`
	Lines               string `flume:"handler.lines" default:"events" enum:"events,bodies" doc:"For ndjson: whether each line is an event, an object with headers and body as the elements of a JSON array are, or the body of an event, which may be JSON of any kind."`

	tlsconf.Config
	EnableSSL bool `flume:"enableSSL" default:"false" deprecated:"use ssl" doc:"Old name of ssl."`
	// These two are too like their new names to be keys of their own: what is
	// mistyped should be corrected to the new one.
	OldKeystorePassword string   `flume:"old.keystorePassword" alias:"keystorePassword" secret:"true" deprecated:"use keystore-password" doc:"Flume's old name of keystore-password; used if the new one is absent."`
	OldExcludeProtocols []string `flume:"old.excludeProtocols" alias:"excludeProtocols" deprecated:"use exclude-protocols" doc:"Flume's old name of exclude-protocols; used if the new one is absent."`
	HTTP2               bool     `flume:"http2" default:"true" doc:"Whether clients that speak TLS may choose HTTP/2."`
	AuthConfig

	Decompress     string        `flume:"decompress" default:"text" enum:"text,always,never" doc:"Which handlers get requests with Content-Encoding gzip or zstd decompressed: those that read text (json, ndjson), all, or none as in Flume."`
	MaxRequestSize int64         `flume:"maxRequestSize" default:"134217728" min:"1" unit:"bytes" doc:"Longest content of a request, as it is sent."`
	MaxDecodedSize int64         `flume:"maxDecodedSize" default:"134217728" min:"1" unit:"bytes" doc:"Longest content of a request, decompressed."`
	MaxMemory      int64         `flume:"maxMemory" default:"536870912" min:"1048576" unit:"bytes" doc:"Most memory for the requests under way together. Requests that find none are answered with 503."`
	MaxConnections int           `flume:"maxConnections" default:"0" min:"0" doc:"Most connections at one time; more are told so and closed. 0 means no limit."`
	MaxRequests    int           `flume:"maxRequests" default:"0" min:"0" doc:"Most requests under way at one time; more are answered with 503. 0 means no limit but that of maxMemory."`
	MaxClientRate  int           `flume:"maxClientRate" default:"0" min:"0" doc:"Most requests in a second from one client address (one network of 64 bits for IPv6), on average; more are answered with 429. 0 means no limit."`
	ClientBurst    int           `flume:"clientBurst" default:"100" min:"1" doc:"How many requests a client may send at once before maxClientRate counts."`
	HeaderTimeout  time.Duration `flume:"headerTimeout" unit:"s" default:"30" min:"1" doc:"Longest time for the header of a request to arrive."`
	RequestTimeout time.Duration `flume:"requestTimeout" unit:"s" default:"300" min:"0" doc:"Longest time for the content of a request to arrive; 0 waits as long as something comes every 30 seconds (ServerConnector.idleTimeout)."`
	WriteTimeout   time.Duration `flume:"writeTimeout" unit:"s" default:"60" min:"1" doc:"How long a client may leave its answers unread before its connection is closed."`
	RetryAfter     time.Duration `flume:"retryAfter" unit:"s" default:"1" min:"1" doc:"What the answer 503 of a full channel gives as Retry-After."`

	IdempotencyKeys int `flume:"idempotencyKeys" default:"0" min:"0" max:"10000000" doc:"How many Idempotency-Key headers of stored requests to remember: a request that comes again with its key is answered again and not stored again. Not across restarts. 0 ignores the header, as Flume does."`

	ThreadPool  map[string]string `flume:"QueuedThreadPool.*" doc:"Settings of Jetty's threads. They have no effect: there are none."`
	HTTPConfig  map[string]string `flume:"HttpConfiguration.*" doc:"Settings of Jetty's HTTP. Of these requestHeaderSize (8192 bytes) and idleTimeout have an effect."`
	Connector   map[string]string `flume:"ServerConnector.*" doc:"Settings of Jetty's connector. Of these host, port and idleTimeout (30000 ms) have an effect; they win over bind and port."`
	SSLSettings map[string]string `flume:"SslContextFactory.*" secret:"true" doc:"Settings of Jetty's TLS. Of these includeProtocols, excludeProtocols, includeCipherSuites, excludeCipherSuites, needClientAuth and wantClientAuth have an effect; they win over Flume's own."`
}

var (
	_ component.Claimer = Config{}
	_ component.Checker = Config{}
)

// Check finds what cannot be meant.
func (c Config) Check(r *component.Report) {
	if c.Bind == "" {
		r.Error("bind", "is empty", "give an address, such as 0.0.0.0 for all")
	}
	c.checkHandler(r)
	for name := range strings.SplitSeq(c.MandatoryParameters, ",") {
		if name != strings.TrimSpace(name) {
			r.Warn("handler.mandatoryParameters", fmt.Sprintf("the spaces in %q belong to the parameter's name", name), "separate names by commas alone")
		}
	}
	if r.Given("ssl") && r.Given("enableSSL") && c.SSL != c.EnableSSL {
		r.Error("enableSSL", "says something else than ssl, whose old name it is", "remove it")
	}
	if c.MaxDecodedSize > c.MaxMemory || c.MaxRequestSize > c.MaxMemory {
		r.Warn("maxMemory", "is less than the longest request", "raise it, or lower maxRequestSize and maxDecodedSize")
	}
	if r.Given("clientBurst") && c.MaxClientRate == 0 {
		r.Warn("clientBurst", "has no effect without maxClientRate", "set maxClientRate, or remove it")
	}
	j, problems := c.jetty()
	for _, p := range problems {
		p.report(r)
	}
	t := c.tls(j)
	t.Check(r)
	c.AuthConfig.check(r, t.SSL)
}

// tls returns the TLS settings with those of the old names, and Jetty's, which win.
func (c Config) tls(j jettySettings) tlsconf.Config {
	t := c.Config
	t.SSL = t.SSL || c.EnableSSL
	if t.KeystorePassword == "" {
		t.KeystorePassword = c.OldKeystorePassword
	}
	if len(t.ExcludeProtocols) == 0 {
		t.ExcludeProtocols = c.OldExcludeProtocols
	}
	j.tls(&t)
	return t
}

// address returns where to listen.
func (c Config) address() (host string, port int) {
	j, _ := c.jetty()
	host, port = c.Bind, c.Port
	if j.host != "" {
		host = j.host
	}
	if j.port != nil {
		port = *j.port
	}
	return host, port
}

// Claims says that no other source can have the port.
func (c Config) Claims() []component.Claim {
	host, port := c.address()
	if port == 0 {
		return nil
	}
	return []component.Claim{{What: "TCP port", ID: strconv.Itoa(port), Host: host, Key: "port"}}
}

// mandatory returns the names of the parameters that requests must have. Flume
// takes nothing for a name, which no request has.
func (c Config) mandatory() []string {
	var names []string
	for name := range strings.SplitSeq(c.MandatoryParameters, ",") {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// hostPort is address in one piece.
func (c Config) hostPort() string {
	host, port := c.address()
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
}
