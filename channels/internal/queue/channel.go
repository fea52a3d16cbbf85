package queue

import (
	"context"
	"fmt"

	"github.com/flume-go/flume/flow"
)

// Channel is the part of a channel that is the same for all that keep their
// events in a queue. They embed it and add Open, which knows their limits.
type Channel struct{ *Queue }

var (
	_ flow.Reserver = Channel{}
	_ flow.Heir     = Channel{}
	_ flow.Volatile = Channel{}
)

// Close keeps what is in the channel, for Open or an heir.
func (c Channel) Close(context.Context) error {
	c.Queue.Close()
	return nil
}

// Inherit takes over the events of another such channel, more than capacity if
// need be: then puts wait until there is space again.
func (c Channel) Inherit(old flow.Channel) error {
	from, ok := old.(interface{ events() *Queue })
	if !ok {
		return fmt.Errorf("taking over a channel's events: %T does not keep them in a queue", old)
	}
	return c.Queue.Inherit(from.events())
}

// Volatile reports that the events do not survive the process.
func (c Channel) Volatile() bool { return true }

func (c Channel) events() *Queue { return c.Queue }
