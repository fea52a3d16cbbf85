package component

import (
	"strings"
	"testing"
)

func TestTypesOfFlumeThatAreNotHereAreCalledThat(t *testing.T) {
	for _, name := range []string{"hdfs", "HDFS", "org.apache.flume.sink.hdfs.HDFSEventSink", "org.apache.flume.sink.kafka.KafkaSink"} {
		if what, _ := Unknown(KindSink, name); !strings.Contains(what, "Apache Flume's") {
			t.Errorf("%s: %s", name, what)
		}
	}
	for _, name := range []string{"hdfss", "KafkaSink", "org.example.KafkaSink", "com.acme.HDFSEventSink"} {
		if what, _ := Unknown(KindSink, name); !strings.HasPrefix(what, "unknown sink type") {
			t.Errorf("%s: %s", name, what)
		}
	}
}
