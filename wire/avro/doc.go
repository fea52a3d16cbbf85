// Package avro speaks the protocol between Flume agents and clients: the messages
// append and appendBatch of AvroSourceProtocol, by Avro's remote calls over TCP in
// the framing of Avro's Netty transport. Both ends are here: [Server] and [Client].
//
// # Frames
//
// A request or an answer is a frame. All integers of a frame are big-endian.
//
//	4 bytes  serial number, chosen by the client and repeated in the answer
//	4 bytes  number of buffers
//	for each buffer: 4 bytes length, then so many bytes
//
// The buffers, one behind the other, are the payload. Where it is cut has no
// meaning: Java cuts at 8192 bytes and between logical parts.
//
// # Payloads
//
// Values of a payload are in Avro's binary encoding: int, long and lengths as
// zigzag varints, strings and bytes behind their length, maps and arrays as blocks
// of a count and so many items, ended by a count of 0; a negative count is followed
// by the size of its block.
//
//	request:  [handshake request]   until the connection has agreed on one
//	          metadata              map of bytes
//	          message               string: append or appendBatch
//	          parameters            AvroFlumeEvent, or an array of them
//	answer:   [handshake response]  if the request had a handshake
//	          metadata              map of bytes
//	          failed                boolean
//	          result                Status, or, if failed, 00 and a string
//
//	AvroFlumeEvent = headers (map of string), body (bytes)
//	Status         = OK 0, FAILED 1, UNKNOWN 2
//
//	handshake request:  client's hash (16 bytes), client's protocol (null or string),
//	                    server's hash (16 bytes), metadata (null or map of bytes)
//	handshake response: match (BOTH 0, CLIENT 1, NONE 2), server's protocol (null or
//	                    string), server's hash (null or 16 bytes), metadata (null or map)
//
// A hash stands for the text of a protocol; see protocol.go. NONE says that the
// server does not know the client's: the answer ends behind the handshake, and the
// client asks again with its text. A request whose message is empty is a handshake
// alone.
//
// Metadata is empty but for two things that only this package says: where events come
// from, see origin.go, and which calls were sent ahead of answers, see ahead.go.
//
// # Layers
//
// Compression is a zlib stream for each direction of a connection, flushed after
// each frame. Where both are used, Flume up to 1.9 has it inside TLS, and later
// versions have TLS inside it; see layers.go.
//
// # Memory
//
// Nothing is allocated because a length says so: memory is taken as bytes arrive,
// and limits (see [Limits]) count what arrives decompressed, with what its events
// take in memory. Connections that wait for a request have no buffer. Events are
// encoded from and decoded into the memory of their batch; neither allocates. A client
// keeps what it has collected for one write, a request or the part of it that writeAt
// allows, for the next.
//
// Sources: the Avro specification, the transport's classes in Apache Avro 1.7 and
// 1.11, and the bytes of Apache Flume 1.9 and 1.11, some of which are in testdata.
package avro
