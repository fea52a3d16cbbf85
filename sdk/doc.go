// Package sdk sends events to Flume agents, of this project or of Apache Flume, from
// any Go program.
//
//	client, err := sdk.New(ctx, sdk.Options{Hosts: []string{"collector:4141"}})
//	if err != nil {
//		return err
//	}
//	defer client.Close()
//	err = client.AppendBatch(ctx, []sdk.Event{
//		{Body: []byte("ready"), Headers: map[string]string{"host": "web1"}},
//		{Body: []byte("listening")},
//	})
//
// When AppendBatch returns nil, all channels that the agent's source feeds have the
// events. When it fails, a [DeliveryError] says how many of them an agent has and whether
// it may have more, so that the rest, and nothing else, can be sent again.
//
// # Which client
//
// [Options] choose the protocol, Avro or Thrift, and which of several agents gets the
// events: the first, the one that works ([Failover]), or each in turn ([RoundRobin],
// [Random]). [Open] makes the same client of the properties of Apache Flume's client
// library (client.type, hosts, hosts.h1, …), and [OpenFile] of a file of them: programs
// that are moved from Java to Go keep their settings.
//
// # Around a client
//
// A client waits for the agent's answer. A [Queue] around it takes events at once and
// sends them in the background, in batches, until they are delivered; what happens when
// it is full is chosen and counted. A [Writer] makes events of what is written to it, for
// package log and for the output of commands. Package sdk/sloghandler is a handler for
// log/slog. Package sdk/embedded is a whole agent inside the program, with a channel on
// the disk if need be.
//
// # Differences from Apache Flume's clients
//
// Clients recover by themselves: after an error the next call connects anew, where
// Apache Flume's client for one Avro source is of no use any more. Failover and load
// balancing go on with the first event that is not acknowledged, instead of sending the
// whole batch again. They work with Thrift, too. README.md has the list.
package sdk
