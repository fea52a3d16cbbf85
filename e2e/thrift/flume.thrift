// The service of Flume's thrift source and sink, as far as its wire format goes.
namespace py flumerpc

struct ThriftFlumeEvent {
  1: required map<string, string> headers,
  2: required binary body,
}

enum Status {
  OK = 0,
  FAILED = 1,
  ERROR = 2,
  UNKNOWN = 3,
}

service ThriftSourceProtocol {
  Status append(1: ThriftFlumeEvent event),
  Status appendBatch(1: list<ThriftFlumeEvent> events),
}

// What a client of some later version could be: fields that no source knows, and methods.
struct LaterEvent {
  1: required map<string, string> headers,
  2: required binary body,
  3: optional bool urgent,
  4: optional list<map<i32, set<double>>> weights,
  20: optional ThriftFlumeEvent parent,
  21: optional i64 when,
}

service LaterProtocol {
  Status append(1: LaterEvent event, 2: i16 priority),
  Status appendBatch(2: string tenant, 1: list<LaterEvent> events),
  Status discard(1: string name),
}

// An event that lacks what the source must have.
struct Fragment {
  1: optional map<string, string> headers,
  2: optional binary body,
}

service FragmentProtocol {
  Status append(1: Fragment event),
}
