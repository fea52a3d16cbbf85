package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/bench/proc"
)

// What a run of the hops sends. With a file channel at both ends it is written three times.
const (
	hopBytes        = 1 << 30
	durableHopBytes = 512 << 20
)

// hopBlocks are the buffer sizes that the bare program of a hop is tried with.
var hopBlocks = []int{64 << 10, 256 << 10, 1 << 20}

// hop is how the agent in front passes events on to the one behind.
type hop struct {
	kind    string // of sink and source: avro or thrift
	batch   int
	channel func(r *Run) string // of both agents
	sink    []string            // further properties of the sink, "name = value"
	source  []string            // and of the source
}

// Hop is lines that two agents pass on, one to the other, beside two bare programs of which the first passes on, over TCP, the
// blocks that it reads, and the second writes them to a file.
func Hop(s Settings, kind string, batch int) Scenario {
	sc := hopScenario(s, hopBytes, hopBlocks, "", extraBytes[kind])
	sc.Name = fmt.Sprintf("hop-%s-%d", kind, batch)
	sc.Summary = fmt.Sprintf("%d TCP connections of 512-byte lines → netcat source, which gives them three headers → memory channel → one %s sink, batches of %d → %s source of a second agent → memory channel → file_roll sink; bare passes the blocks it reads on to a second process, which appends them to a file, and %d bytes more for each line, which are what headers and protocol take. Processor time and memory are of both processes",
		s.Conns, kind, batch, kind, extraBytes[kind])
	sc.Programs = programs(s, twoAgents(Flume, hop{kind: kind, batch: batch, channel: memoryChannel}), sc.Programs...)
	return sc
}

// SecureHop is Hop by the avro protocol with TLS, compression and both, beside neither.
func SecureHop(s Settings, batch int) Scenario {
	sc := hopScenario(s, hopBytes/2, hopBlocks, "", extraBytes["avro"])
	sc.Name = fmt.Sprintf("hop-avro-%d-secure", batch)
	sc.Summary = fmt.Sprintf("hop-avro-%d with TLS, with deflate (level 6, of text that has a fifth of its size then) and with both, beside neither", batch)
	sc.Goals = nil
	if s.Flume == "" {
		return sc
	}
	avro := hop{kind: "avro", batch: batch, channel: memoryChannel}
	var all []Program
	for _, variant := range []struct {
		name         string
		tls, deflate bool
	}{{Flume, false, false}, {"TLS", true, false}, {"deflate", false, true}, {"TLS, deflate", true, true}} {
		h := avro
		if variant.tls {
			h = h.secured()
		}
		if variant.deflate {
			h = h.deflated()
		}
		all = append(all, twoAgents(variant.name, h))
	}
	sc.Programs = append(all, sc.Programs...)
	calibrate := sc.Prepare
	sc.Prepare = func(ctx context.Context, r *Run) ([]string, error) {
		if err := writeKeyStore(r.keyStore()); err != nil {
			return nil, err
		}
		return calibrate(ctx, r)
	}
	return sc
}

// DurableHop is Hop through file channels: both agents sync before they acknowledge. The sink tells the source which events of its channel it
// sends, so that none is stored twice; the same by the thrift protocol, which has no place for that, stands beside it.
func DurableHop(s Settings, batch int) Scenario {
	sc := hopScenario(s, durableHopBytes, durableBlocks, "-log", 0)
	sc.Name = fmt.Sprintf("hop-durable-%d", batch)
	sc.Summary = fmt.Sprintf("hop-avro-%d through a file channel in both agents, which sync before they acknowledge, each event stored once even if it is sent twice; bare syncs each block to a log in front of the hop and behind it; thrift has no identity of events",
		batch)
	sc.Goals = nil
	sc.Beside = "memory channels"
	durableAvro := hop{kind: "avro", batch: batch, channel: fileChannelOf}
	inMemory, thrift := durableAvro, durableAvro
	inMemory.channel, thrift.kind = memoryChannel, "thrift"
	if s.Flume == "" {
		sc.Beside = ""
		return sc
	}
	sc.Programs = append([]Program{twoAgents(Flume, durableAvro), twoAgents("thrift", thrift), twoAgents(sc.Beside, inMemory)}, sc.Programs...)
	return sc
}

// extraBytes is by how much a line with its three headers is longer in an Avro array, or a Thrift list, than the line is with its
// newline.
var extraBytes = map[string]int{"avro": 59, "thrift": 62}

// hopScenario has the bare program alone. log is the option that gives both of its processes a log in the run's directory, or "", and
// extra is what it passes on for each line beside.
func hopScenario(s Settings, bytes int64, blocks []int, log string, extra int) Scenario {
	block := s.Block
	work := flood{form: lines.Plain, length: 512, block: sendBlock, bytes: bytes}
	if log != "" {
		work.warm = logWarm
	}
	sc := Scenario{
		Programs: []Program{bareHop(func() int { return block }, log, extra)},
		Goals:    []Goal{{Metric: events, Ratio: 0.5}},
		Limit:    3 * time.Minute,
		Memory:   bytes * 3 / 2,
		Measure:  work.measurePair,
	}
	sc.Prepare = func(ctx context.Context, r *Run) (remarks []string, err error) {
		if block != 0 {
			return nil, nil
		}
		note := ""
		block, note, err = fastest(ctx, sc, r.Settings, r.Shared, blocks, func(block int) Program {
			return bareHop(func() int { return block }, log, extra)
		})
		return []string{note}, err
	}
	return sc
}

// twoAgents is the agent twice: lines come to the first and go to the files of the second.
func twoAgents(name string, h hop) Program {
	p := flume(toFile(h.arrival, h.channel))
	p.Name, p.Front = name, flume(h.departure(tagged(netcat))).Spec
	return p
}

// bareHop is the bare program. block is asked for its buffer when it is started.
func bareHop(block func() int, log string, extra int) Program {
	back := func(r *Run) (proc.Spec, error) {
		args := []string{Bare, "-listen", r.NextAddr(), "-out", filepath.Join(r.Out(), "bare"), "-block", fmt.Sprint(block())}
		if log != "" {
			args = append(slices.Replace(args, 0, 1, "relay"), "-dir", r.Dir)
		}
		if extra > 0 {
			args = append(args, "-extra", fmt.Sprintf("127.0.0.1:%d", r.Beside))
		}
		return proc.Spec{Path: r.Self, Talk: true, Args: args}, nil
	}
	front := func(r *Run) (proc.Spec, error) {
		args := []string{"forward", "-listen", r.Addr(), "-to", r.NextAddr(), "-block", fmt.Sprint(block())}
		if log != "" {
			args = append(args, log, r.Dir)
		}
		if extra > 0 {
			args = append(args, "-extra", fmt.Sprint(extra), "-extra-to", fmt.Sprintf("127.0.0.1:%d", r.Beside))
		}
		return proc.Spec{Path: r.Self, Talk: true, Args: args}, nil
	}
	return Program{Name: Bare, Blind: true, Spec: back, Front: front}
}

// departure is the configuration of the agent in front.
func (h hop) departure(source func(r *Run) string) func(r *Run) string {
	return func(r *Run) string {
		return toSink(source, h.channel)(r) + fmt.Sprintf(`a1.sinks.k1.type = %s
a1.sinks.k1.hostname = 127.0.0.1
a1.sinks.k1.port = %d
a1.sinks.k1.batch-size = %d
`, h.kind, r.Next, h.batch) + properties("a1.sinks.k1.", h.sink, r)
	}
}

// arrival configures source r1 of the agent behind.
func (h hop) arrival(r *Run) string {
	return fmt.Sprintf(`a1.sources.r1.type = %s
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %d
`, h.kind, r.Next) + properties("a1.sources.r1.", h.source, r)
}

// tagged gives the events of a source three headers.
func tagged(source func(r *Run) string) func(r *Run) string {
	return func(r *Run) string {
		text := source(r) + "a1.sources.r1.interceptors = i1 i2 i3\n"
		for i, header := range [][2]string{{"host", "web-1.example.com"}, {"datacenter", "fra1"}, {"application", "shop"}} {
			text += fmt.Sprintf(`a1.sources.r1.interceptors.i%[1]d.type = static
a1.sources.r1.interceptors.i%[1]d.key = %[2]s
a1.sources.r1.interceptors.i%[1]d.value = %[3]s
`, i+1, header[0], header[1])
		}
		return text
	}
}

// keyStorePlace stands for the path of the key store, which is known when a run begins.
const keyStorePlace = "{keystore}"

// secured is h by TLS.
func (h hop) secured() hop {
	h.sink = append(slices.Clone(h.sink), "ssl = true", "truststore = "+keyStorePlace, "truststore-type = PEM", "verify-hostname = true")
	h.source = append(slices.Clone(h.source), "ssl = true", "keystore = "+keyStorePlace, "keystore-type = PEM")
	return h
}

// deflated is h with compression.
func (h hop) deflated() hop {
	h.sink = append(slices.Clone(h.sink), "compression-type = deflate", "compression-level = 6")
	h.source = append(slices.Clone(h.source), "compression-type = deflate")
	return h
}

func properties(prefix string, all []string, r *Run) string {
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "%s%s\n", prefix, strings.ReplaceAll(p, keyStorePlace, r.keyStore()))
	}
	return b.String()
}

// measurePair is measure for programs of two processes.
func (f flood) measurePair(ctx context.Context, r *Run) (sample Sample, err error) {
	format, err := f.form.Format(f.length, f.block)
	if err != nil {
		return nil, err
	}
	count := f.count(r, format)
	p, err := r.startPair(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	if err := awaitAddr(ctx, r, r.Addr(), p.front); err != nil {
		return nil, err
	}
	load, err := f.start(ctx, r, count, f.warmUp(r, format, count))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, load.Stop(stopGrace)) }()
	sample, err = f.time(ctx, r, p.back, p.usage, load, format, count)
	if err != nil {
		return nil, err
	}
	if err := p.stop(); err != nil {
		return nil, err
	}
	return sample.perCore(), verify(r, format, lines.Share(count, r.Conns))
}

// perCore adds to a sample what follows from its processor time.
func (s Sample) perCore() Sample {
	for _, v := range s {
		if v.Metric == cpu && v.Value > 0 {
			return append(s, Value{perCPU, 1e6 / v.Value})
		}
	}
	return s
}

// pair is the two processes of a program, of which the front passes on to the back.
type pair struct{ front, back *proc.Process }

// startPair starts the run's program, back first. The front has a directory of its own in that of the run.
func (r *Run) startPair(ctx context.Context) (_ *pair, err error) {
	var monitoring int
	if r.Next, monitoring, err = freePorts(ctx); err != nil {
		return nil, err
	}
	r.Beside = r.Monitoring // which bare programs have no use for
	front := *r
	front.Program = Program{Name: r.Program.Name, Spec: r.Program.Front}
	front.Dir, front.Monitoring = filepath.Join(r.Dir, "front"), monitoring
	if err := os.Mkdir(front.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the directory of the process in front: %w", err)
	}
	p := new(pair)
	if p.back, err = r.Start(ctx); err != nil {
		return nil, err
	}
	if err = awaitAddr(ctx, r, r.NextAddr(), p.back); err == nil {
		p.front, err = front.Start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// stop ends the front, which may pass on what it has, and then the back. Stopping again changes nothing.
func (p *pair) stop() error {
	var errs []error
	for _, process := range []**proc.Process{&p.front, &p.back} {
		if *process != nil {
			errs = append(errs, (*process).Stop(stopGrace))
			*process = nil
		}
	}
	return errors.Join(errs...)
}

// usage is what both have taken.
func (p *pair) usage() (proc.Usage, error) {
	var sum proc.Usage
	for _, process := range []*proc.Process{p.front, p.back} {
		u, err := proc.ReadUsage(process.PID())
		if err != nil {
			return sum, err
		}
		sum.CPU, sum.RSS, sum.Peak = sum.CPU+u.CPU, sum.RSS+u.RSS, sum.Peak+u.Peak
	}
	return sum, nil
}
