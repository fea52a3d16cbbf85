package pipeline

import (
	"slices"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

// outgoing is a delivery on its way to a sink. A channel takes back all of a
// delivery or nothing. When a part of one has reached the destination, giving it
// back would deliver that part again with each try; it is kept, and only the rest
// is tried. Not safe for concurrent use.
type outgoing struct {
	delivery flow.Delivery // nil: none
	rest     *event.Batch  // what is not delivered yet, if a part is; else nil
}

// batch returns what is to be delivered. Valid until the delivery is settled or
// the rest becomes smaller.
func (o *outgoing) batch() *event.Batch {
	if o.rest != nil {
		return o.rest
	}
	return o.delivery.Batch()
}

// keep leaves the events of these indexes of batch as the rest, and reports
// whether that is a part and not all or nothing, which changes nothing.
func (o *outgoing) keep(indexes []int) bool {
	b := o.batch()
	if len(indexes) == 0 || len(indexes) == b.Len() {
		return false
	}
	rest := share(b, &flow.Share{Indexes: indexes})
	rest.Seal()
	o.free()
	o.rest = rest
	return true
}

// ack acknowledges the delivery.
func (o *outgoing) ack() error {
	o.free()
	d := o.delivery
	o.delivery = nil
	return d.Ack()
}

// giveBack returns the delivery, all of it, to the channel, if there is one.
func (o *outgoing) giveBack() error {
	o.free()
	d := o.delivery
	o.delivery = nil
	if d == nil {
		return nil
	}
	return d.Nack()
}

func (o *outgoing) free() {
	if o.rest != nil {
		o.rest.Release()
		o.rest = nil
	}
}

// rejectedOf returns the indexes of the events of b that err rejects, in order; nil
// if it does not say which, or not of b: then all others may be anywhere, too.
func rejectedOf(b *event.Batch, err error) []int {
	indexes := slices.Clone(flow.Rejected(err))
	slices.Sort(indexes)
	indexes = slices.Compact(indexes)
	if n := len(indexes); n == 0 || indexes[0] < 0 || indexes[n-1] >= b.Len() {
		return nil
	}
	return indexes
}
