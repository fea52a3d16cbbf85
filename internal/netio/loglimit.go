package netio

import (
	"sync/atomic"
	"time"
)

// LogLimit keeps log lines that many clients can cause to one a minute. The zero
// value is ready. Safe for concurrent use.
type LogLimit struct {
	next       atomic.Int64 // time of the next line, in Unix nanoseconds
	suppressed atomic.Int64
}

// Allow reports whether to log now and how many lines were left out since the
// last one.
func (l *LogLimit) Allow() (ok bool, suppressed int64) {
	now, next := time.Now().UnixNano(), l.next.Load()
	if now < next || !l.next.CompareAndSwap(next, now+int64(time.Minute)) {
		l.suppressed.Add(1)
		return false, 0
	}
	return true, l.suppressed.Swap(0)
}
