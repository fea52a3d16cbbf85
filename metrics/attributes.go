package metrics

// attributes are what every component of a kind publishes in Apache Flume,
// whether it ever counts them or not: monitors ask for them by name and take a
// missing one for a failure.
//
// A channel's fill percentage is left to the channels, since it follows from two
// others.
var attributes = map[Kind]struct{ gauges, counters []string }{
	KindSource: {
		gauges: []string{"OpenConnectionCount"},
		counters: []string{
			"EventReceivedCount", "EventAcceptedCount",
			"AppendReceivedCount", "AppendAcceptedCount",
			"AppendBatchReceivedCount", "AppendBatchAcceptedCount",
			"EventReadFail", "ChannelWriteFail", "GenericProcessingFail",
		},
	},
	KindChannel: {
		gauges: []string{"ChannelSize", "ChannelCapacity"},
		counters: []string{
			"EventPutAttemptCount", "EventPutSuccessCount",
			"EventTakeAttemptCount", "EventTakeSuccessCount",
		},
	},
	KindSink: {
		counters: []string{
			"ConnectionCreatedCount", "ConnectionClosedCount", "ConnectionFailedCount",
			"BatchEmptyCount", "BatchUnderflowCount", "BatchCompleteCount",
			"EventDrainAttemptCount", "EventDrainSuccessCount",
			"EventWriteFail", "ChannelReadFail",
		},
	},
}

// standard makes the attributes of s's kind, so that each is there, at 0, before
// the component counts anything.
func (s *Set) standard() {
	s.Gauge("StartTime")
	s.Gauge("StopTime")
	of := attributes[s.Kind]
	for _, name := range of.gauges {
		s.Gauge(name)
	}
	for _, name := range of.counters {
		s.Counter(name)
	}
}
