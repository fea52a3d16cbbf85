package spooldir

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/avro"
)

// Headers of events that are Avro records.
const (
	hashHeader    = "flume.avro.schema.hash"
	literalHeader = "flume.avro.schema.literal"
)

// records makes an event of each record of an Avro container file. The body is the record as it stands in its block.
type records struct {
	c       *container
	skipper *avro.Schema // reads a record into nothing
	key     string
	value   string

	at     int64  // offset of the block that data is of
	next   int64  // of the one behind it
	data   []byte // what is left of the block
	left   int64  // records in data
	taken  int64  // records of the block that came before
	behind int64  // of these, those that were handed on before the file was opened
}

func newAvro(s *source, in *input, m mark) (*records, error) {
	c, err := openContainer(in, s.cfg.MaxBlockLength)
	if err != nil {
		return nil, err
	}
	d := &records{c: c, behind: m.skip}
	if d.skipper, err = skipperOf(c.schema); err == nil {
		d.next, err = c.begin(m.offset)
	}
	if err != nil {
		return nil, errors.Join(err, c.codec.Close())
	}
	if d.key, d.value = literalHeader, c.text; s.cfg.SchemaType != literal {
		d.key, d.value = hashHeader, hashOf(c.schema)
	}
	return d, nil
}

// hashOf returns the fingerprint of a schema as Flume writes it: the least significant byte first.
func hashOf(s *avro.Schema) string {
	sum := s.Fingerprint(avro.NewRabin())
	slices.Reverse(sum)
	return hex.EncodeToString(sum)
}

// skipperOf returns a schema that reads records of s and keeps nothing of them: the same record without fields.
func skipperOf(s *avro.Schema) (*avro.Schema, error) {
	root := s.Root()
	if root.Type != "record" {
		return nil, fmt.Errorf("the Avro container file has values of type %q; events can be made of records only", root.Type)
	}
	empty := avro.SchemaNode{Type: "record", Name: root.Name, Namespace: root.Namespace, Fields: []avro.SchemaField{}}
	reader, err := empty.Schema()
	if err != nil {
		return nil, fmt.Errorf("reading the schema of the Avro container file: %w", err)
	}
	skipper, err := avro.Resolve(s, reader)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of the Avro container file: %w", err)
	}
	return skipper, nil
}

// close implements deserializer.
func (d *records) close() { _ = d.c.codec.Close() } // a decompressor has nothing to lose

// fill implements deserializer.
func (d *records) fill(p *filling) error {
	for !p.full() {
		if d.left == 0 {
			if len(d.data) > 0 {
				return fmt.Errorf("the block at offset %d of the Avro container file has %d bytes behind its last record", d.at, len(d.data))
			}
			if err := d.block(); err != nil {
				return err
			}
			continue
		}
		var nothing struct{}
		rest, err := d.skipper.Decode(d.data, &nothing)
		if err != nil {
			return fmt.Errorf("reading record %d of the block at offset %d of the Avro container file: %w", d.taken+1, d.at, err)
		}
		body := d.data[:len(d.data)-len(rest)]
		d.data = rest
		d.left--
		d.taken++
		if d.taken <= d.behind {
			continue
		}
		p.batch.SetHeader(p.batch.AppendCopy(body), d.key, d.value)
		p.added(d.mark(), len(body))
	}
	return nil
}

// block goes on to the next block.
func (d *records) block() error {
	if d.at != 0 {
		d.behind = 0
	}
	d.at = d.next
	records, data, next, err := d.c.block(d.at)
	if err != nil {
		if changed := d.c.in.end(); d.at >= d.c.in.size {
			return changed // io.EOF, unless the file has changed
		}
		return err
	}
	d.left, d.data, d.next, d.taken = records, data, next, 0
	return nil
}

// mark returns the place behind the record that was read last: as in Flume, the offset of the marker before a block.
func (d *records) mark() mark {
	if d.left == 0 {
		return mark{offset: d.next - syncSize}
	}
	return mark{offset: d.at - syncSize, skip: d.taken}
}
