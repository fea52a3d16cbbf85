package codectest

import (
	"bytes"
	"errors"
	"strings"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/invariants"
)

var contentRules = []rule{
	{
		name: "content",
		rule: "Bodies of any length and bytes and headers of any kind are written as they are.",
		run: func(r *rig) {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			b := batch{Batch: event.NewBatch()}
			for i, body := range [][]byte{
				{}, {0}, []byte("x"), all, []byte("\n"), {}, []byte("two\nlines\n"), []byte("\r\n"), r.long(), []byte("\xff\xfe not UTF-8"), []byte("last"),
			} {
				r.add(&b, body, oddHeaders[i%len(oddHeaders)])
			}
			p := r.start()
			r.must(p.encode(b))
			r.must(p.flush())
			r.must(p.holds())
			p.write(3)
			p.close()
		},
	},
	{
		name: "memory",
		rule: "The stream depends on the events and not on how they lie in memory or are cut into batches, and is the same each time.",
		run: func(r *rig) {
			var want []byte
			for _, l := range layouts {
				p := r.start()
				for _, b := range l.lay(r) {
					err := p.try(b)
					r.must(errors.Join(err, free(b)))
				}
				r.must(p.flush())
				r.must(p.enc.Close())
				got := p.disk.content
				if r.h.Steady != nil {
					got = r.h.Steady(got)
				}
				if want == nil {
					want = got
				}
				if !bytes.Equal(got, want) {
					r.fatalf("of events that are %s the stream is\n%.300q\nand of those that are %s\n%.300q", l.name, got, layouts[0].name, want)
				}
			}
		},
	},
}

// oddHeaders are headers of all kinds.
var oddHeaders = [][]event.Header{
	nil,
	{{Key: "empty value"}, {Value: "empty key"}},
	{{Key: "naïve κλειδί", Value: "значение 価値 🜚"}, {Key: "new\nline=", Value: "a\tb\r\n"}},
	{{Key: "long", Value: strings.Repeat("v", 70_000)}},
}

// long is a body as long as the harness allows.
func (r *rig) long() []byte {
	n := r.h.Largest
	if n == 0 {
		n = 16 << 20
		if invariants.Enabled {
			n = 1 << 20 // poisoning is slow
		}
	}
	return bytes.Repeat([]byte("0123456789abcdef"), n/16)
}

// layouts are ways in which the same events can lie in memory.
var layouts = []struct {
	name string
	lay  func(r *rig) []*event.Batch
}{
	{"copied one by one", (*rig).copied},
	{"copied one by one again", (*rig).copied},
	{"lines that touch", (*rig).touching},
	{"a part of a batch", func(r *rig) []*event.Batch {
		all := r.touching()[0]
		defer all.Release()
		return []*event.Batch{all.View(0, all.Len())}
	}},
	{"in the memory of another batch", func(r *rig) []*event.Batch {
		all, b := r.touching()[0], event.NewBatch()
		defer all.Release()
		b.AppendShared(all, 0, 2)
		b.AppendShared(all, 2, all.Len())
		return []*event.Batch{b}
	}},
	{"a batch each", func(r *rig) []*event.Batch {
		all := r.copied()[0]
		defer all.Release()
		var parts []*event.Batch
		for i := range all.Len() {
			parts = append(parts, all.View(i, i+1))
		}
		return parts
	}},
}

// fewLines are the bodies of the layouts.
var fewLines = []string{"one\n", "\n", "three\n", "four\n", strings.Repeat("five ", 2_000) + "\n"}

func (r *rig) copied() []*event.Batch {
	b := event.NewBatch()
	for _, line := range fewLines {
		b.AppendCopy([]byte(strings.TrimSuffix(line, "\n")))
	}
	return r.prepared(b)
}

// touching makes a batch as a source of lines does: a block that is read, and cut.
func (r *rig) touching() []*event.Batch {
	b := event.NewBatch()
	text := strings.Join(fewLines, "")
	copy(b.Reserve(len(text)), text)
	block := b.Commit(len(text))
	for _, line := range fewLines {
		b.AppendLine(block[:len(line)])
		block = block[len(line):]
	}
	return r.prepared(b)
}

func (r *rig) prepared(b *event.Batch) []*event.Batch {
	for i := range b.Len() {
		b.SetHeader(b.At(i), "host", "web1")
		if r.h.Prepare != nil {
			r.h.Prepare(b, b.At(i))
		}
	}
	b.Seal()
	return []*event.Batch{b}
}
