// The service of Scribe, as far as its wire format goes.
namespace py scriberpc

enum ResultCode {
  OK,
  TRY_LATER,
}

struct LogEntry {
  1: string category,
  2: string message,
}

service Scribe {
  ResultCode Log(1: list<LogEntry> messages),
}
