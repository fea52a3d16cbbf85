package wal

import (
	"context"
	"fmt"
	"slices"
)

// Verification is what Verify found.
type Verification struct {
	Segments   []SegmentVerification // in the order in which they were begun, free ones too
	Missing    []MissingSegment      // segments with stored events whose files are not there
	Unreadable []string              // segment files without a good header
}

// Damaged returns how many damaged places there are; damage in free segments harms nobody, but says
// something about the disk.
func (v *Verification) Damaged() int {
	n := len(v.Missing) + len(v.Unreadable)
	for i := range v.Segments {
		n += len(v.Segments[i].Damage)
		if v.Segments[i].HeaderBad {
			n++
		}
	}
	return n
}

// SegmentVerification is what Verify found in one segment file.
type SegmentVerification struct {
	SegmentReport
	Records  int // good ones
	Stored   int // events in good records, acknowledged or not
	Unopened int // records that are sealed with a key that is not there: their checksums are good
	Damage   []Damage
}

// Verify reads all records of a log and checks them: all checksums, and that events can be decrypted and
// decoded where the keys are known. It changes nothing. Unless opts.NoLock is set nobody may
// have the log open.
func Verify(ctx context.Context, opts Options) (*Verification, error) {
	v, err := openView(opts)
	if err != nil {
		return nil, err
	}
	defer v.close()
	out := &Verification{Missing: v.r.missing}
	for _, s := range v.r.files.damaged {
		out.Unreadable = append(out.Unreadable, s.path)
	}
	for i, s := range v.r.files.good {
		durable, err := v.r.durable(i)
		if err != nil {
			return nil, err
		}
		seg, err := v.verify(ctx, s, durable)
		if v.stale(s) {
			continue // reused while it was read: what was found is of two lives
		}
		if err != nil {
			return nil, fmt.Errorf("verifying segment %s: %w", s.path, err)
		}
		out.Segments = append(out.Segments, seg)
	}
	return out, nil
}

// verify reads one segment that is known to be durable up to an offset.
func (v *view) verify(ctx context.Context, seg *segment, durable int64) (SegmentVerification, error) {
	out := SegmentVerification{SegmentReport: v.segment(seg)}
	aead, keyErr := v.l.keys.open(seg)
	err := v.l.withScanner(seg, func(s *scanner) error {
		s.aead = aead
		damaged := func(from, to int64) error {
			out.Damage = append(out.Damage, Damage{Segment: seg.path, From: from, To: to})
			return nil
		}
		end, _, err := s.walk(segmentStart, durable, func(rec record) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if keyErr != nil && rec.kind == recordPut {
				out.Unopened++
			} else if err := s.check(rec); err != nil {
				return damaged(rec.pos, rec.pos+rec.size())
			}
			out.Records++
			out.Stored += rec.count
			return nil
		}, damaged)
		out.End = end
		return err
	})
	return out, err
}

// check decodes a record.
func (s *scanner) check(rec record) error {
	switch rec.kind {
	case recordPut:
		b, _, err := s.decode(rec)
		if err == nil {
			b.Release()
		}
		return err
	case recordAck:
		_, err := decodeAck(rec.payload)
		return err
	default:
		_, err := decodeSnapshot(rec.payload)
		return err
	}
}

// Export calls f with all events that are stored and not acknowledged, in order, and changes nothing. The
// batch of an entry is f's until it returns. Damage is passed over, and told to the log and the
// hook of opts. An error of f ends the export and is returned. Unless opts.NoLock is set nobody
// may have the log open; with it, what is appended meanwhile may be missing, and what is
// acknowledged meanwhile may be there.
func Export(ctx context.Context, opts Options, f func(Entry) error) error {
	v, err := openView(opts)
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.l.checkKeys(); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	for _, d := range v.damage {
		v.l.told(d)
	}
	for _, s := range v.l.segments {
		if s.live == 0 {
			continue
		}
		if err := v.export(ctx, s, f); err != nil && !v.stale(s) {
			return fmt.Errorf("exporting segment %s: %w", s.path, err)
		}
	}
	return nil
}

// export calls f with the stored events of a segment.
func (v *view) export(ctx context.Context, seg *segment, f func(Entry) error) error {
	aead, err := v.l.keys.open(seg)
	if err != nil {
		return err
	}
	return v.l.withScanner(seg, func(s *scanner) error {
		s.aead, s.end = aead, seg.end
		damaged := func(from, to int64) error {
			d := Damage{Segment: seg.path, From: from, To: to}
			if !v.stale(seg) && !slices.Contains(v.damage, d) {
				v.l.told(d)
			}
			return nil
		}
		_, _, err := s.walk(segmentStart, seg.end, func(rec record) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if rec.kind != recordPut || v.l.gone.count(rec.events()) == rec.events().Len() {
				return nil
			}
			b, at, err := s.decode(rec)
			if err != nil {
				return damaged(rec.pos, rec.pos+rec.size())
			}
			defer b.Release()
			return v.l.gone.entries(b, rec.first, at, f)
		}, damaged)
		return err
	})
}
