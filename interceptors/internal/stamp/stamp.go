// Package stamp sets one header to one value on every event of a batch: what the
// timestamp, host and static interceptors have in common.
package stamp

import "github.com/flume-go/flume/event"

// All sets the header on all events of b, except, with preserve, on those that
// have it. Key and value are not copied: they are memory of b or live on by
// themselves.
func All(b *event.Batch, key, value string, preserve bool) {
	events := b.Events()
	for i := range events {
		e := &events[i]
		if preserve {
			if _, ok := e.Header(key); ok {
				continue
			}
		}
		b.SetHeader(e, key, value)
	}
}
