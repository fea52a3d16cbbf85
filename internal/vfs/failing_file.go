package vfs

import "io/fs"

// syncFailer is a file that can model what a failed sync does to it.
type syncFailer interface {
	failSync()
}

// failingFile is a file opened through a [Failing].
type failingFile struct {
	inner File
	fs    *Failing
}

var (
	_ File           = (*failingFile)(nil)
	_ DataSyncer     = (*failingFile)(nil)
	_ Preallocator   = (*failingFile)(nil)
	_ BehindReserver = (*failingFile)(nil)
	_ GatherWriter   = (*failingFile)(nil)
	_ syncFailer     = (*failingFile)(nil)
)

func (f *failingFile) begin(kind OpKind, size int64) error {
	return f.fs.begin(Op{Kind: kind, Path: f.inner.Name(), Len: size}, nil)
}

// write begins a write of total bytes that can be cut short, and does it.
func (f *failingFile) write(bufs [][]byte, do func([][]byte) (int64, error)) (int64, error) {
	op := Op{Kind: OpWrite, Path: f.inner.Name()}
	for _, b := range bufs {
		op.Len += int64(len(b))
	}
	var done int64
	injected := f.fs.begin(op, func(keep int64) {
		// The injected error takes the place of one that this might return.
		done, _ = do(head(bufs, keep))
	})
	if injected != nil {
		return done, injected
	}
	return do(bufs)
}

// head returns the first n bytes of bufs, sharing their memory.
func head(bufs [][]byte, n int64) [][]byte {
	var h [][]byte
	for _, b := range bufs {
		b = b[:min(n, int64(len(b)))]
		h = append(h, b)
		n -= int64(len(b))
	}
	return h
}

func (f *failingFile) Name() string { return f.inner.Name() }

func (f *failingFile) Read(p []byte) (int, error) {
	if err := f.begin(OpRead, int64(len(p))); err != nil {
		return 0, err
	}
	return f.inner.Read(p)
}

func (f *failingFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.begin(OpRead, int64(len(p))); err != nil {
		return 0, err
	}
	return f.inner.ReadAt(p, off)
}

func (f *failingFile) Write(p []byte) (int, error) {
	n, err := f.Writev([][]byte{p})
	return int(n), err
}

func (f *failingFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.WritevAt([][]byte{p}, off)
	return int(n), err
}

// Writev implements [GatherWriter]; it is one operation.
func (f *failingFile) Writev(bufs [][]byte) (int64, error) {
	return f.write(bufs, func(b [][]byte) (int64, error) { return Writev(f.inner, b) })
}

// WritevAt implements [GatherWriter]; it is one operation.
func (f *failingFile) WritevAt(bufs [][]byte, off int64) (int64, error) {
	return f.write(bufs, func(b [][]byte) (int64, error) { return WritevAt(f.inner, b, off) })
}

func (f *failingFile) Seek(offset int64, whence int) (int64, error) {
	if err := f.begin(OpSeek, 0); err != nil {
		return 0, err
	}
	return f.inner.Seek(offset, whence)
}

func (f *failingFile) Stat() (fs.FileInfo, error) {
	if err := f.begin(OpFileStat, 0); err != nil {
		return nil, err
	}
	return f.inner.Stat()
}

func (f *failingFile) Truncate(size int64) error {
	if err := f.begin(OpTruncate, 0); err != nil {
		return err
	}
	return f.inner.Truncate(size)
}

// Preallocate implements [Preallocator].
func (f *failingFile) Preallocate(size int64) error {
	if err := f.begin(OpPreallocate, 0); err != nil {
		return err
	}
	return Preallocate(f.inner, size)
}

// ReserveBehind implements [BehindReserver].
func (f *failingFile) ReserveBehind(off, n int64) error {
	if err := f.begin(OpPreallocate, 0); err != nil {
		return err
	}
	return ReserveBehind(f.inner, off, n)
}

func (f *failingFile) Sync() error {
	return f.sync(f.inner.Sync)
}

// SyncData implements [DataSyncer].
func (f *failingFile) SyncData() error {
	return f.sync(func() error { return SyncData(f.inner) })
}

func (f *failingFile) sync(do func() error) error {
	if err := f.begin(OpSync, 0); err != nil {
		f.failSync()
		return err
	}
	return do()
}

// failSync implements [syncFailer], so that these can be stacked.
func (f *failingFile) failSync() {
	if s, ok := f.inner.(syncFailer); ok {
		s.failSync()
	}
}

// Close closes the file even if it reports an injected error.
func (f *failingFile) Close() error {
	injected := f.begin(OpClose, 0)
	err := f.inner.Close()
	if injected != nil {
		return injected
	}
	return err
}
