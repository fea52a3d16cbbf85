package vfs

import (
	"io"
	"io/fs"
	"sync"
)

// Action is what an [Injector] wants done with an operation. The zero value lets it pass.
type Action struct {
	// Err is returned instead of doing the operation. Closing files and locks happens
	// all the same. After a failed sync, a file of a [Mem] loses in a crash what was
	// unsynced then, whatever later syncs return, until it is written again.
	Err error
	// Keep is how many bytes of a write are done before Err is returned.
	Keep int64
	// Crash is called instead of the operation, after Keep bytes of a write; this
	// operation and all later ones then fail with ErrCrashed. It is the place to crash
	// an underlying [Mem]. Err is ignored.
	Crash func()
}

// Injector decides about an operation before it is done. It is called by one goroutine at a
// time and must not use the [Failing] that calls it.
type Injector func(Op) Action

// FailAt fails operation k with err and lets all others pass. A test loops over k = 0, 1, 2…
// with a new [Failing] each, until one reports no injection: then every operation has
// failed once.
func FailAt(k int64, err error) Injector {
	return func(op Op) Action {
		if op.N != k {
			return Action{}
		}
		return Action{Err: err}
	}
}

// FailFrom fails operation k and all after it, as a disk that is gone or was mounted
// read-only.
func FailFrom(k int64, err error) Injector {
	return func(op Op) Action {
		if op.N < k {
			return Action{}
		}
		return Action{Err: err}
	}
}

// CrashAt calls crash instead of operation k.
func CrashAt(k int64, crash func()) Injector {
	return func(op Op) Action {
		if op.N != k {
			return Action{}
		}
		return Action{Crash: crash}
	}
}

// Only consults inj about the operations that match and numbers them anew for it, from 0;
// for example Only(Op.Mutates, FailAt(k, err)). The result belongs to one [Failing].
func Only(match func(Op) bool, inj Injector) Injector {
	var next int64
	return func(op Op) Action {
		if !match(op) {
			return Action{}
		}
		op.N = next
		next++
		return inj(op)
	}
}

// Failing is a file system that does what another does, except where its [Injector] decides
// otherwise. It has all optional capabilities, with the fallbacks of the package functions.
type Failing struct {
	inner FS

	mu       sync.Mutex
	inject   Injector
	next     int64
	injected int64
	crashed  bool
}

var (
	_ FS            = (*Failing)(nil)
	_ SpaceReporter = (*Failing)(nil)
)

// NewFailing wraps inner. A nil injector lets everything pass.
func NewFailing(inner FS, inject Injector) *Failing {
	return &Failing{inner: inner, inject: inject}
}

// Count returns how many operations were numbered so far.
func (f *Failing) Count() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next
}

// Injected returns how many operations did not just pass; those after a crash count.
func (f *Failing) Injected() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.injected
}

// SetInjector replaces the injector for the operations to come; numbers go on.
func (f *Failing) SetInjector(inject Injector) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inject = inject
}

// begin numbers an operation and returns the error to fail it with. partial, if not nil, does
// the given number of bytes of it first.
func (f *Failing) begin(op Op, partial func(keep int64)) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	op.N = f.next
	f.next++
	if f.crashed {
		f.injected++
		return op.failed(ErrCrashed)
	}
	var act Action
	if f.inject != nil {
		act = f.inject(op)
	}
	if act.Err == nil && act.Crash == nil {
		return nil
	}
	f.injected++
	if act.Keep > 0 && partial != nil {
		partial(min(act.Keep, op.Len))
	}
	if act.Crash != nil {
		f.crashed = true
		act.Crash()
		return op.failed(ErrCrashed)
	}
	return op.failed(act.Err)
}

// OpenFile implements [FS].
func (f *Failing) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if err := f.begin(Op{Kind: OpOpen, Path: name, Flag: flag}, nil); err != nil {
		return nil, err
	}
	inner, err := f.inner.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &failingFile{inner: inner, fs: f}, nil
}

// MkdirAll implements [FS].
func (f *Failing) MkdirAll(dir string, perm fs.FileMode) error {
	if err := f.begin(Op{Kind: OpMkdir, Path: dir}, nil); err != nil {
		return err
	}
	return f.inner.MkdirAll(dir, perm)
}

// Remove implements [FS].
func (f *Failing) Remove(name string) error {
	if err := f.begin(Op{Kind: OpRemove, Path: name}, nil); err != nil {
		return err
	}
	return f.inner.Remove(name)
}

// Rename implements [FS].
func (f *Failing) Rename(oldname, newname string) error {
	if err := f.begin(Op{Kind: OpRename, Path: oldname, NewPath: newname}, nil); err != nil {
		return err
	}
	return f.inner.Rename(oldname, newname)
}

// Stat implements [FS].
func (f *Failing) Stat(name string) (fs.FileInfo, error) {
	if err := f.begin(Op{Kind: OpStat, Path: name}, nil); err != nil {
		return nil, err
	}
	return f.inner.Stat(name)
}

// ReadDir implements [FS].
func (f *Failing) ReadDir(dir string) ([]fs.DirEntry, error) {
	if err := f.begin(Op{Kind: OpReadDir, Path: dir}, nil); err != nil {
		return nil, err
	}
	return f.inner.ReadDir(dir)
}

// SyncDir implements [FS].
func (f *Failing) SyncDir(dir string) error {
	if err := f.begin(Op{Kind: OpSyncDir, Path: dir}, nil); err != nil {
		return err
	}
	return f.inner.SyncDir(dir)
}

// Lock implements [FS].
func (f *Failing) Lock(name string) (io.Closer, error) {
	if err := f.begin(Op{Kind: OpLock, Path: name}, nil); err != nil {
		return nil, err
	}
	inner, err := f.inner.Lock(name)
	if err != nil {
		return nil, err
	}
	return &failingLock{inner: inner, fs: f, name: name}, nil
}

// DiskFree implements [SpaceReporter].
func (f *Failing) DiskFree(dir string) (uint64, error) {
	if err := f.begin(Op{Kind: OpDiskFree, Path: dir}, nil); err != nil {
		return 0, err
	}
	return DiskFree(f.inner, dir)
}

// failingLock is a lock taken through a [Failing].
type failingLock struct {
	inner io.Closer
	fs    *Failing
	name  string
}

// Close releases the lock even if it reports an injected error.
func (l *failingLock) Close() error {
	injected := l.fs.begin(Op{Kind: OpUnlock, Path: l.name}, nil)
	err := l.inner.Close()
	if injected != nil {
		return injected
	}
	return err
}
