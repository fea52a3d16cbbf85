package taildir

import (
	"context"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
)

const (
	blockSize  = 512 << 10     // bytes read at once
	enough     = blockSize / 2 // bytes after which a batch is emitted
	mostEvents = 16 << 10      // in the memory of one batch, however short they are
)

// filling is a batch that is being made, from one file or from several.
type filling struct {
	batch *event.Batch
	size  int // most events of what is emitted at once
	bytes int
	steps []step
}

// step says that after so many events of the batch a file is at a position.
type step struct {
	events int
	file   *file
	pos    int64
	tail   []byte // in the batch: the bytes that end at the position
}

func (p *filling) begin(b *event.Batch, size int) {
	p.batch, p.size, p.bytes, p.steps = b, size, 0, p.steps[:0]
}

// full reports whether it is time to emit.
func (p *filling) full() bool {
	return p.batch.Len() >= min(p.size, mostEvents) || p.bytes >= enough
}

// atEdge reports whether the batch is cut behind its last event.
func (p *filling) atEdge() bool { return p.batch.Len()%p.size == 0 }

// toEdge returns how many events there are to where the batch is cut next.
func (p *filling) toEdge() int { return p.size - p.batch.Len()%p.size }

// step notes that the file is at pos after the events so far. read is what was
// read of it up to there.
func (p *filling) step(f *file, pos int64, read []byte) {
	if n := len(read); n > anchorBytes {
		read = read[n-anchorBytes:]
	}
	p.steps = append(p.steps, step{p.batch.Len(), f, pos, read})
}

// emit hands on the batch, batchSize events at a time, and moves the positions.
func (w *follower) emit(ctx, work context.Context) error {
	p := &w.batch
	n := p.batch.Len()
	if n == 0 {
		return nil
	}
	if n <= p.size {
		return w.emitPart(work, p.batch, n)
	}
	for from := 0; from < n; from += p.size {
		if from > 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		to := min(from+p.size, n)
		part := p.batch.View(from, to)
		err := w.emitPart(work, part, to)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// emitPart emits b, with which the first to events of the batch are stored.
func (w *follower) emitPart(ctx context.Context, b *event.Batch, to int) error {
	w.src.count.received.Add(1)
	err := flow.EmitUntilStored(ctx, w.out, b, func(err error) {
		w.src.count.received.Add(1)
		if !w.failing {
			w.failing = true
			w.log.Warn("handing on events fails; the files wait", "error", err)
		}
	})
	if err != nil {
		return err
	}
	if w.failing {
		w.failing = false
		w.log.Info("handing on events works again")
	}
	w.src.count.accepted.Add(1)
	w.commit(to)
	return nil
}

// commit moves the files to where they are after the first to events.
func (w *follower) commit(to int) {
	steps := w.batch.steps
	n := 0
	for n < len(steps) && steps[n].events <= to {
		s := &steps[n]
		n++
		if n < len(steps) && steps[n].file == s.file && steps[n].events <= to {
			continue // it goes further
		}
		s.file.move(s.pos, markOf(s.tail))
		w.store.move(s.file)
		w.extendHead(s.file)
	}
	w.batch.steps = steps[n:]
	w.store.flush()
}
