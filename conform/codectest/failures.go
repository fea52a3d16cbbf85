package codectest

import (
	"bytes"
	"errors"

	"github.com/flume-go/flume/flow"
)

var failureRules = []rule{
	{
		name: "error of a write",
		rule: "The error of each write of the stream comes out, as one that is worth another try, and what was flushed stays readable.",
		run: func(r *rig) {
			r.failing(func(p *pen) {
				p.disk.cut(p.good)
				if p.good > 0 {
					r.must(p.holds())
				}
			})
		},
	},
	{
		name: "write again",
		rule: "After an error, a cut and Rewind the batch is written again, and the stream holds all events once.",
		when: rewinds,
		run: func(r *rig) {
			r.failing(func(p *pen) {
				p.back()
				b := r.large()
				r.must(p.encode(b))
				r.must(p.flush())
				r.must(p.holds())
				p.write(3)
				p.close()
			})
		},
	},
	{
		name: "write another",
		rule: "After an error, a cut and Rewind nothing of the failed batch comes with the next one or with Close.",
		when: rewinds,
		run: func(r *rig) {
			r.failing(func(p *pen) {
				p.back()
				p.back()
				p.write(1)
				r.must(p.holds())
				p.close()
			})
			r.failing(func(p *pen) {
				p.back()
				if err := p.enc.Close(); err != nil {
					r.fatalf("closing the encoder: %v", err)
				}
				if len(p.disk.content) > 0 {
					r.must(p.holds())
				}
			})
		},
	},
	{
		name: "rewind without error",
		rule: "Rewind forgets what was encoded since the last flush, also when nothing failed, and nothing else.",
		when: rewinds,
		run: func(r *rig) {
			p := r.start()
			p.back()
			r.must(p.encode(r.batch(3)))
			r.must(p.encode(r.large()))
			p.back()
			for range 3 {
				p.write(2)
				p.back()
				r.must(p.holds())
				r.must(p.encode(r.large()))
				p.back()
				p.back()
				r.must(p.encode(r.batch(1)))
				p.back()
				r.must(p.holds())
			}
			p.write(2)
			p.close()
		},
	},
}

// large returns a batch that takes more than one write.
func (r *rig) large() batch {
	b := r.batch(3)
	for range 3 {
		r.add(&b, bytes.Repeat([]byte("0123456789"), 10_000), nil)
		r.add(&b, []byte("between"), nil)
	}
	return b
}

// failing writes to a stream on which one write fails: the first, the second and
// so on, at once or in the middle, until none is left to fail. After each failure
// of a batch or its flush then is called.
func (r *rig) failing(then func(p *pen)) {
	r.t.Helper()
	for _, keep := range []int{0, 20} {
		for k := 0; ; k++ {
			d := newDisk()
			d.failAt, d.keep = k, keep
			p, err := r.untilFailure(d)
			if !d.failed {
				r.must(err)
				if k == 0 {
					r.fatalf("nothing was written")
				}
				break
			}
			if err == nil {
				r.fatalf("write %d of the stream failed, and nobody said so", k)
			}
			if c := flow.ClassOf(err); !errors.Is(err, errDisk) || c != flow.ClassRetry {
				r.fatalf("write %d of the stream failed with %q; what came out is %v (class %v)", k, errDisk, err, c)
			}
			if p != nil {
				then(p)
			}
		}
	}
}

// untilFailure writes to d until a write fails, or all there is to write. p is nil
// if there is no encoder that could go on.
func (r *rig) untilFailure(d *disk) (p *pen, err error) {
	p, err = r.tryStart(d)
	if err != nil {
		return nil, err
	}
	for _, b := range []batch{r.batch(3), r.large(), r.batch(100)} {
		err := p.encode(b)
		if err == nil {
			err = p.flush()
		}
		if err != nil || d.failed {
			return p, err
		}
	}
	return nil, p.enc.Close()
}
