package scenario

import (
	"fmt"
	"path/filepath"
)

// toFile is the configuration of an agent whose source r1 gives its events through channel c1 to one file, at batch sizes that
// suit a flood.
func toFile(source, channel func(r *Run) string) func(r *Run) string {
	return func(r *Run) string {
		return toSink(source, channel)(r) + fmt.Sprintf(`a1.sinks.k1.type = file_roll
a1.sinks.k1.sink.directory = %s
a1.sinks.k1.sink.rollInterval = 0
a1.sinks.k1.sink.batchSize = 10000
`, r.Out())
	}
}

// toNull is the same with a sink that forgets what it gets.
func toNull(source, channel func(r *Run) string) func(r *Run) string {
	return func(r *Run) string {
		return toSink(source, channel)(r) + `a1.sinks.k1.type = null
a1.sinks.k1.batchSize = 10000
`
	}
}

// toSink is all but the type of the sink.
func toSink(source, channel func(r *Run) string) func(r *Run) string {
	return func(r *Run) string {
		return "a1.sources = r1\na1.channels = c1\na1.sinks = k1\n\n" +
			source(r) + "a1.sources.r1.channels = c1\n\n" +
			channel(r) + "\n" +
			"a1.sinks.k1.channel = c1\n"
	}
}

// memoryChannel configures channel c1. The byte capacity is well above what
// capacity events of a run need, because its default depends on a heap that only
// one of the agents has.
func memoryChannel(*Run) string {
	return `a1.channels.c1.type = memory
a1.channels.c1.capacity = 100000
a1.channels.c1.transactionCapacity = 10000
a1.channels.c1.byteCapacity = 1000000000
`
}

// fileChannelOf configures channel c1 with its files in the run's directory.
func fileChannelOf(r *Run) string { return fileChannel(r.Dir) }

// fileChannel configures channel c1 with its files below dir.
func fileChannel(dir string) string {
	return fmt.Sprintf(`a1.channels.c1.type = file
a1.channels.c1.checkpointDir = %s
a1.channels.c1.dataDirs = %s
a1.channels.c1.capacity = 100000000
a1.channels.c1.transactionCapacity = 10000
`, filepath.Join(dir, "checkpoint"), filepath.Join(dir, "data"))
}

// netcat configures source r1.
func netcat(r *Run) string {
	return fmt.Sprintf(`a1.sources.r1.type = netcat
a1.sources.r1.bind = 127.0.0.1
a1.sources.r1.port = %d
a1.sources.r1.ack-every-event = false
a1.sources.r1.max-line-length = 65536
`, r.Port)
}

// Configurations of the scenarios with lines.
var (
	linesConfig   = toFile(netcat, memoryChannel)
	durableConfig = toFile(netcat, fileChannelOf)
)
