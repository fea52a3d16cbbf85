package component

import "strings"

// absent are the types of Apache Flume that this version does not have, by kind:
// whoever names one has made no typing mistake and should not be told so. A name
// that is registered is never looked for here.
var absent = map[Kind][]string{
	KindSource: {
		"jms",
		"JMSSource", "KafkaSource", "TwitterSource",
	},
	KindChannel: {
		"jdbc", "JdbcChannel", "KafkaChannel",
	},
	KindSink: {
		"hdfs", "irc", "http", "hbase", "asynchbase", "hbase2", "hive", "morphline_solr", "elasticsearch",
		"HDFSEventSink", "IRCSink", "HttpSink", "HBaseSink", "AsyncHBaseSink", "HBase2Sink", "HiveSink",
		"MorphlineSolrSink", "MorphlineSink", "ElasticSearchSink", "KafkaSink", "KuduSink", "DatasetSink",
	},
	KindInterceptor: {"MorphlineInterceptor$Builder"},
}

// isAbsent reports whether name is a type of Apache Flume that is not here: an
// alias, or a class of its packages.
func isAbsent(kind Kind, name string) bool {
	class := strings.HasPrefix(name, "org.apache.flume.")
	if class {
		name = name[strings.LastIndexByte(name, '.')+1:]
	}
	for _, a := range absent[kind] {
		// Class names begin with a capital, aliases do not.
		if isClass := a[0] >= 'A' && a[0] <= 'Z'; isClass == class && strings.EqualFold(a, name) {
			return true
		}
	}
	return false
}
