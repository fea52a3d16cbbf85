package avro

import (
	"fmt"
	"strings"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/tlsconf"
)

// Config is the properties of the sink.
type Config struct {
	Hostname         string        `flume:"hostname,required" doc:"Host name or address of the agent to send to."`
	Port             int           `flume:"port,required" min:"1" max:"65535" doc:"TCP port of its avro source."`
	BatchSize        int           `flume:"batch-size,batch" default:"100" min:"1" lenient:"true" doc:"Most events sent in one call."`
	ConnectTimeout   time.Duration `flume:"connect-timeout" unit:"ms" default:"20000" min:"1000" lenient:"true" doc:"How long connecting may take, with TLS and the first exchange; and the sending of each call."`
	RequestTimeout   time.Duration `flume:"request-timeout" unit:"ms" default:"20000" min:"1000" lenient:"true" doc:"How long to wait for the answer to a call."`
	ResetInterval    time.Duration `flume:"reset-connection-interval" unit:"s" default:"0" min:"0" lenient:"true" doc:"Age at which a connection is closed and made anew before the next call, so that load balancers and name servers are asked again; 0: never."`
	Compression      string        `flume:"compression-type" default:"none" doc:"Set to deflate to compress. The source must be set to the same."`
	CompressionLevel int           `flume:"compression-level" default:"6" min:"-1" max:"9" lenient:"true" doc:"How hard to compress, from 1 to 9; 0 does not, and -1 is a default."`
	DeflateInsideTLS bool          `flume:"deflate-inside-tls" default:"false" doc:"With both compression and TLS: whether the compressed stream is inside TLS, for a source of Apache Flume up to 1.9. Later versions have TLS inside it."`
	tlsconf.ClientConfig
	MaxIOWorkers   int               `flume:"maxIoWorkers" default:"0" lenient:"true" doc:"No effect: a connection needs no pool of threads."`
	ClientType     string            `flume:"client.type" default:"default" doc:"Kind of client: default for one avro source; default_failover for several, of which one is used as long as it works; default_loadbalance for several in turn; thrift for one thrift source."`
	Hosts          []string          `flume:"hosts" doc:"Names of destinations, instead of hostname and port. The clients default and thrift use the first one."`
	HostsByName    map[string]string `flume:"hosts.*" doc:"What each name in hosts stands for, as host:port."`
	MaxAttempts    *int              `flume:"max-attempts" min:"1" lenient:"true" doc:"How often default_failover sends a batch before it has failed. Without, once for each host."`
	Selector       string            `flume:"host-selector" default:"ROUND_ROBIN" doc:"How default_loadbalance chooses the first host for a batch: ROUND_ROBIN, which is each in turn, or RANDOM."`
	Backoff        bool              `flume:"backoff" default:"false" doc:"Whether default_loadbalance leaves a host alone for a while after it has failed: 2 seconds, and twice as long after each further failure."`
	MaxBackoff     time.Duration     `flume:"maxBackoff" unit:"ms" default:"30000" min:"0" doc:"Longest time for which a host is left alone; 0 means 30000."`
	Protocol       string            `flume:"protocol" default:"compact" doc:"What the client thrift speaks, compact or binary; it must be that of the source if it is Apache Flume's."`
	MaxConnections int               `flume:"maxConnections" default:"1" lenient:"true" doc:"No effect: a sink has one call at a time, and one connection to a host."`
}

// Check checks the parts that belong together.
func (c Config) Check(r *component.Report) {
	c.ClientConfig.Check(r)
	if r.Given("compression-type") && !c.deflate() && !strings.EqualFold(c.Compression, "none") {
		r.Warn("compression-type", fmt.Sprintf("there is no %q: nothing is compressed", c.Compression), "give deflate or none")
	}
	if r.Given("compression-level") && !c.deflate() {
		r.Advise("compression-level", "has no effect without compression-type = deflate", "set it, or remove the level")
	}
	if c.DeflateInsideTLS && !(c.SSL && c.deflate()) {
		r.Warn("deflate-inside-tls", "has no effect without both ssl and compression", "remove it")
	}
	if r.Given("maxIoWorkers") {
		r.Advise("maxIoWorkers", "has no effect: a connection needs no pool of threads", "remove it")
	}
	c.checkClient(r)
}

func (c Config) deflate() bool { return strings.EqualFold(c.Compression, "deflate") }
