package avro

import (
	"fmt"
	"net"
	"strconv"
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
	MaxIOWorkers int               `flume:"maxIoWorkers" default:"0" lenient:"true" doc:"No effect: a connection needs no pool of threads."`
	ClientType   string            `flume:"client.type" default:"default" doc:"Kind of client: default, which sends to one host. For failover and load balancing use a sink group."`
	Hosts        []string          `flume:"hosts" doc:"Names of destinations, instead of hostname and port; the first one counts."`
	HostsByName  map[string]string `flume:"hosts.*" doc:"What each name in hosts stands for, as host:port."`
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
	if c.ClientType != "" && !strings.EqualFold(c.ClientType, defaultClient) {
		r.Error("client.type", fmt.Sprintf("there is no client %q for this sink", c.ClientType),
			"use a sink per host and a sink group with the processor failover or load_balance, or the thrift sink")
	}
	if _, err := c.address(); err != nil {
		r.Error("hosts", err.Error(), "give hosts.<name> = host:port for the first name")
	}
	if len(c.Hosts) > 1 {
		r.Advise("hosts", "only the first one is used: "+c.Hosts[0], "use a sink group for more")
	}
}

// defaultClient is the client.type that is here.
const defaultClient = "default"

func (c Config) deflate() bool { return strings.EqualFold(c.Compression, "deflate") }

// address returns the destination as host:port. Names in hosts win, as in Flume.
func (c Config) address() (string, error) {
	if len(c.Hosts) == 0 {
		return net.JoinHostPort(c.Hostname, strconv.Itoa(c.Port)), nil
	}
	address, ok := c.HostsByName[c.Hosts[0]]
	if !ok {
		return "", fmt.Errorf("the host %q has no address", c.Hosts[0])
	}
	address = strings.TrimSpace(address)
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", fmt.Errorf("the address of the host %q: %w", c.Hosts[0], err)
	}
	return address, nil
}
