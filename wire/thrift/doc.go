// Package thrift speaks Apache Thrift's RPC as Flume's components and clients
// do: ThriftSourceProtocol on both ends, and what servers of other small services
// need.
//
// Events are decoded straight into batches and encoded straight from them
// (events.go, encoder.go), without anything generated and without an allocation
// for an event: a frame is read into the memory of a batch, and bodies and headers
// are views of it. Everything else a message can hold, in the compact and in the
// binary protocol, is understood and passed over (decoder.go).
//
// A Server turns the connections of a listener into calls of a Store; what it
// offers is a Service (flume.go has Flume's). A Client is the other end.
//
// README.md has the bytes.
package thrift
