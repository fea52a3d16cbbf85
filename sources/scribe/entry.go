package scribe

import (
	"github.com/flume-go/flume/event"
	wire "github.com/flume-go/flume/wire/thrift"
)

// Fields of the struct LogEntry.
const (
	fieldCategory = 1
	fieldMessage  = 2
)

// headerCategory is the header that has the category of an entry.
const headerCategory = "category"

// logArgs decodes the argument of Log: a list of entries.
func (s *source) logArgs(d *wire.Decoder, b *event.Batch) error {
	var last int16
	found := false
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil:
			return err
		case typ == wire.Stop && !found:
			return s.later()
		case typ == wire.Stop:
			return nil
		case id == 1 && typ == wire.List && !found:
			found = true
			err = s.entries(d, b)
		default:
			err = d.SkipField(typ)
		}
		if err != nil {
			return err
		}
		last = id
	}
}

// later answers a call that lacks what it should have. Flume has one answer for all
// that it cannot do.
func (s *source) later() error {
	s.readFail.Add(1)
	return wire.Result(resultTryLater)
}

func (s *source) entries(d *wire.Decoder, b *event.Batch) error {
	n, err := d.Structs()
	for ; err == nil && n > 0; n-- {
		err = s.entry(d, b)
	}
	return err
}

func (s *source) entry(d *wire.Decoder, b *event.Batch) error {
	e, err := d.Event(b)
	if err != nil {
		return err
	}
	var last int16
	message := false
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil:
			return err
		case typ == wire.Stop && !message:
			return s.later()
		case typ == wire.Stop:
			return nil
		case id == fieldCategory && typ == wire.String:
			var p []byte
			if p, err = d.Bytes(); err == nil {
				err = d.Header(b, e, headerCategory, wire.Text(p))
			}
		case id == fieldMessage && typ == wire.String:
			var p []byte
			if p, err = d.Bytes(); err == nil {
				message = true
				b.SetBody(e, p)
			}
		default:
			err = d.SkipField(typ)
		}
		if err != nil {
			return err
		}
		last = id
	}
}
