package thriftlegacy

import (
	"strconv"

	"github.com/flume-go/flume/event"
	wire "github.com/flume-go/flume/wire/thrift"
)

// Fields of the struct ThriftFlumeEvent of Flume 0.9.x.
const (
	fieldTimestamp = 1 // i64, milliseconds
	fieldPriority  = 2 // enum
	fieldBody      = 3 // binary
	fieldNanos     = 4 // i64
	fieldHost      = 5 // string
	fieldMap       = 6 // map<string,binary>
)

// Headers of an event.
const (
	headerHost      = "host"
	headerTimestamp = "timestamp"
	headerPriority  = "pri"
	headerNanos     = "nanos"
	headerOrigin    = "FlumeOG"
)

// priorities are the names of the enum's values.
var priorities = [...]string{"FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"}

// appendArgs decodes the argument of append: one event.
func appendArgs(d *wire.Decoder, b *event.Batch) error {
	var last int16
	for {
		typ, id, err := d.Field(last)
		switch {
		case err != nil || typ == wire.Stop:
			return err
		case id == 1 && typ == wire.Struct:
			err = oldEvent(d, b)
		default:
			err = d.SkipField(typ)
		}
		if err != nil {
			return err
		}
		last = id
	}
}

// old is the fields of an event that become headers.
type old struct {
	timestamp, nanos int64
	priority         int32
	hasPriority      bool
	host             []byte
}

// oldEvent decodes an event. The headers that are made of fields come first, so
// that the client's own can replace them, as in Flume; they are known only when
// the whole struct has been read.
func oldEvent(d *wire.Decoder, b *event.Batch) error {
	e, err := d.Event(b)
	if err != nil {
		return err
	}
	var o old
	var fields []event.Header
	var last int16
	for {
		typ, id, err := d.Field(last)
		if err != nil {
			return err
		}
		if typ == wire.Stop {
			break
		}
		switch {
		case id == fieldBody && typ == wire.String:
			var body []byte
			if body, err = d.Bytes(); err == nil {
				b.SetBody(e, body)
			}
		case id == fieldMap && typ == wire.Map:
			fields, err = readFields(d)
		default:
			err = o.read(d, typ, id)
		}
		if err != nil {
			return err
		}
		last = id
	}
	o.set(b, e)
	for _, h := range fields {
		if err := d.Header(b, e, h.Key, h.Value); err != nil {
			return err
		}
	}
	b.SetHeader(e, headerOrigin, "yes")
	return nil
}

func (o *old) read(d *wire.Decoder, typ wire.Type, id int16) (err error) {
	switch {
	case id == fieldTimestamp && typ == wire.I64:
		o.timestamp, err = d.I64()
	case id == fieldNanos && typ == wire.I64:
		o.nanos, err = d.I64()
	case id == fieldPriority && typ == wire.I32:
		o.priority, err = d.I32()
		o.hasPriority = true
	case id == fieldHost && typ == wire.String:
		o.host, err = d.Bytes()
	default:
		err = d.SkipField(typ)
	}
	return err
}

func (o *old) set(b *event.Batch, e *event.Event) {
	if o.host != nil {
		b.SetHeader(e, headerHost, wire.Text(o.host))
	}
	b.SetHeader(e, headerTimestamp, number(b, o.timestamp))
	if o.hasPriority {
		b.SetHeader(e, headerPriority, priorityName(b, o.priority))
	}
	b.SetHeader(e, headerNanos, number(b, o.nanos))
}

// priorityName is the number itself for a priority that Flume does not have.
func priorityName(b *event.Batch, p int32) string {
	if p < 0 || int(p) >= len(priorities) {
		return number(b, int64(p))
	}
	return priorities[p]
}

func number(b *event.Batch, n int64) string {
	var digits [20]byte
	return b.String(strconv.AppendInt(digits[:0], n, 10))
}

// mostFields is how many fields an event can have: they are compared one by one.
const mostFields = 1000

func readFields(d *wire.Decoder) ([]event.Header, error) {
	key, value, n, err := d.MapBegin()
	if err != nil {
		return nil, err
	}
	if n > 0 && (key != wire.String || value != wire.String) || n > mostFields {
		return nil, wire.Malformed("the fields of an event are no map of at most %d strings", mostFields)
	}
	fields := make([]event.Header, 0, n)
	for range n {
		k, err := d.Bytes()
		if err != nil {
			return nil, err
		}
		v, err := d.Bytes()
		if err != nil {
			return nil, err
		}
		fields = append(fields, event.Header{Key: wire.Text(k), Value: wire.Text(v)})
	}
	return fields, nil
}
