package codectest

import "bytes"

var streamRules = []rule{
	{
		name: "flush",
		rule: "After Flush a reader of the stream finds all events so far, in order, without its end.",
		run: func(r *rig) {
			p := r.start()
			for _, n := range []int{1, 7, 100, 1, 30} {
				p.write(n)
				r.must(p.holds())
			}
			p.close()
		},
	},
	{
		name: "several batches to a flush",
		rule: "Flush completes all batches since the last one, and is harmless when there is none.",
		run: func(r *rig) {
			p := r.start()
			r.must(p.flush())
			for range 3 {
				r.must(p.encode(r.batch(4)))
				r.must(p.encode(r.batch(1)))
				r.must(p.flush())
				r.must(p.holds())
				length := len(p.disk.content)
				r.must(p.flush())
				if len(p.disk.content) != length {
					r.fatalf("a second flush wrote %d bytes", len(p.disk.content)-length)
				}
			}
			p.close()
		},
	},
	{
		name: "close",
		rule: "Close completes what was encoded, flushed or not, writes the stream's end and leaves the stream open.",
		run: func(r *rig) {
			p := r.start()
			p.write(3)
			r.must(p.encode(r.batch(5)))
			p.close()
			if p.disk.closed {
				r.fatalf("the stream is closed")
			}
		},
	},
	{
		name: "empty batch",
		rule: "A batch of no events is encoded, and leaves no trace.",
		run: func(r *rig) {
			p := r.start()
			p.write(0)
			if r.h.Bytes != nil {
				r.must(p.holds())
			}
			p.write(2)
			length := len(p.disk.content)
			p.write(0)
			if len(p.disk.content) != length {
				r.fatalf("it added %d bytes to the stream", len(p.disk.content)-length)
			}
			p.write(1)
			p.close()
		},
	},
	{
		name: "no events",
		rule: "An encoder that was given no events can be flushed and closed, and its stream is empty or reads as one without events.",
		run: func(r *rig) {
			p := r.start()
			r.must(p.flush())
			if err := p.enc.Close(); err != nil {
				r.fatalf("closing the encoder: %v", err)
			}
			if len(p.disk.content) > 0 {
				r.must(p.holds())
			}
		},
	},
	{
		name: "plain stream",
		rule: "It makes no difference to the content whether a stream has gathering writes.",
		run: func(r *rig) {
			p := &pen{rig: r, disk: newDisk()}
			enc, err := r.encoder(plain{p.disk}, false)
			r.must(err)
			p.enc, p.good = enc, len(p.disk.content)
			big := r.batch(3)
			for range 3 {
				r.add(&big, bytes.Repeat([]byte("long body "), 30_000), nil)
				r.add(&big, []byte("short"), nil)
			}
			r.must(p.encode(big))
			r.must(p.flush())
			r.must(p.holds())
			p.write(20)
			p.close()
		},
	},
	{
		name: "resume",
		rule: "An encoder that continues a stream adds its events to those that are there.",
		when: resumes,
		run: func(r *rig) {
			p := r.start()
			p.write(3)
			for range 2 {
				p.close()
				enc, err := r.encoder(p.disk, true)
				r.must(err)
				p.enc = enc
				r.must(p.flush())
				r.must(p.holds())
				p.write(4)
				r.must(p.holds())
			}
			p.close()
		},
	},
	{
		name: "not resumed",
		rule: "An encoding whose streams cannot be continued says so with an error, and writes nothing.",
		when: ends,
		run: func(r *rig) {
			d := newDisk()
			if _, err := r.encoder(d, true); err == nil {
				r.fatalf("NewEncoder for a stream with content returned no error")
			}
			if len(d.content) > 0 {
				r.fatalf("it wrote %d bytes", len(d.content))
			}
		},
	},
}
