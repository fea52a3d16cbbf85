// The service by which Flume 0.9.x agents sent events, as far as its wire format goes.
namespace py legacyrpc

enum Priority {
  FATAL = 0,
  ERROR = 1,
  WARN = 2,
  INFO = 3,
  DEBUG = 4,
  TRACE = 5,
}

struct ThriftFlumeEvent {
  1: i64 timestamp,
  2: Priority priority,
  3: binary body,
  4: i64 nanos,
  5: string host,
  6: map<string, binary> fields,
}

service ThriftFlumeEventServer {
  oneway void append(1: ThriftFlumeEvent evt),
  void close(),
}
