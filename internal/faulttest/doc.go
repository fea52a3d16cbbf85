// Package faulttest proves that a durable channel keeps its promises on a file system that fails, fills up or
// loses power at any operation.
//
// A [History] is one disk and the channels that live on it, one after the other. In each life several producers and
// takers work at once while an injector decides about every file operation; then the channel is closed in
// good order, or the power is cut. The history remembers of each event what was promised, and complains when
//
//   - an event that was acknowledged to its producer is not there, and nobody tried to acknowledge its delivery;
//   - an event is delivered that was never put, in another form than it was put, to two takers at once, again in the
//     life in which it was acknowledged, or again after an orderly end of that life;
//   - a put that failed is delivered in the same life, or is there in parts after a restart;
//   - the events of a producer are out of order;
//   - puts do not go on once the faults have ended, or the channel does not open on a disk that works;
//   - a record is called damaged although only the power failed.
package faulttest
