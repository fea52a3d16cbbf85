package fileroll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

var errDisk = errors.New("the disk says no")

// content returns all lines of all files, in order, read as the serializer wrote them.
func content(t *testing.T, fsys vfs.FS, serializer string) string {
	t.Helper()
	contents, names := files(t, fsys)
	if serializer == "text" {
		return strings.Join(contents, "")
	}
	var all strings.Builder
	for i, c := range contents {
		r, err := ocf.NewReader(strings.NewReader(c))
		if err != nil {
			t.Fatalf("opening container %s: %v", names[i], err)
		}
		for {
			var e struct {
				Headers map[string]string `avro:"headers"`
				Body    []byte            `avro:"body"`
			}
			if err := r.Decode(&e); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("reading container %s: %v", names[i], err)
			}
			all.Write(e.Body)
			all.WriteByte('\n')
		}
	}
	return all.String()
}

// batches are shaped differently: touching lines, scattered ones, large ones.
func batches(t *testing.T) (list []*event.Batch, want string) {
	t.Helper()
	for i := range 6 {
		b := lines(t, fmt.Sprint(i, " first"), fmt.Sprint(i, " second"))
		b.AppendCopy([]byte(fmt.Sprint(i, " scattered")))
		b.AppendCopy(bytes.Repeat([]byte{byte('a' + i)}, 5000))
		for _, e := range b.Events() {
			want += string(e.Body) + "\n"
		}
		list = append(list, b)
	}
	return list, want
}

// TestEveryOperationFailsOnce fails operation k of a run of batches and rotations,
// for every k. Each batch is delivered again until it is accepted. All files
// together then hold each line exactly once, in order.
func TestEveryOperationFailsOnce(t *testing.T) {
	for _, serializer := range []string{"text", "avro_event"} {
		for _, fsync := range []string{fsyncNever, fsyncClose, fsyncBatch} {
			for _, keep := range []int64{0, 20, 1 << 20} {
				t.Run(fmt.Sprintf("%s/%s/%d", serializer, fsync, keep), func(t *testing.T) {
					for k := int64(0); failOnce(t, serializer, fsync, k, keep); k++ {
					}
				})
			}
		}
	}
}

func failOnce(t *testing.T, serializer, fsync string, k, keep int64) (injected bool) {
	t.Helper()
	m := mem(t)
	f := vfs.NewFailing(m, func(op vfs.Op) vfs.Action {
		if op.N != k {
			return vfs.Action{}
		}
		return vfs.Action{Err: errDisk, Keep: keep}
	})
	s := build(t, f, map[string]string{"sink.rollInterval": "0", "sink.serializer": serializer, "sink.fsync": fsync})
	ctx := context.Background()
	failures := 0
	must := func(what string, err error) bool {
		if err == nil {
			return true
		}
		if failures++; failures > 2 || !errors.Is(err, errDisk) {
			t.Fatalf("operation %d: %s failed %d times: %v", k, what, failures, err)
		}
		return false
	}
	for !must("Open", s.Open(ctx)) {
	}
	list, want := batches(t)
	for i, b := range list {
		for !must("Deliver", s.Deliver(ctx, b)) {
		}
		if i%2 == 1 {
			s.rotate()
		}
	}
	must("Close", s.Close(ctx))
	if got := content(t, m, serializer); got != want {
		t.Fatalf("operation %d: files hold\n%.300q\nwant\n%.300q", k, got, want)
	}
	return f.Injected() > 0
}

// TestOutage lets everything fail from operation k on for a while.
func TestOutage(t *testing.T) {
	for k := int64(0); ; k++ {
		m := mem(t)
		f := vfs.NewFailing(m, nil)
		s := build(t, f, map[string]string{"sink.rollInterval": "0"})
		ctx := context.Background()
		if err := s.Open(ctx); err != nil {
			t.Fatal(err)
		}
		list, want := batches(t)
		start := f.Count()
		f.SetInjector(func(op vfs.Op) vfs.Action {
			if op.N < start+k {
				return vfs.Action{}
			}
			return vfs.Action{Err: errDisk, Keep: 9}
		})
		tries := 0
		for _, b := range list {
			for s.Deliver(ctx, b) != nil {
				if tries++; tries == 3 {
					f.SetInjector(nil)
				}
				if tries > 4 {
					t.Fatalf("outage at operation %d: the sink does not recover", k)
				}
			}
		}
		if err := s.Close(ctx); err != nil && tries > 0 {
			t.Fatal(err)
		}
		if got := content(t, m, "text"); got != want {
			t.Fatalf("outage at operation %d: files hold\n%.300q\nwant\n%.300q", k, got, want)
		}
		if f.Injected() == 0 {
			return
		}
	}
}

func TestAnotherBatchAfterAFailedOne(t *testing.T) {
	// A group of sinks may give the failed batch to another sink.
	m := mem(t)
	f := vfs.NewFailing(m, nil)
	s := build(t, f, map[string]string{"sink.rollInterval": "0"})
	open(t, s)
	deliver(t, s, "one")
	f.SetInjector(func(op vfs.Op) vfs.Action {
		if op.Kind == vfs.OpWrite || op.Kind == vfs.OpTruncate {
			return vfs.Action{Err: errDisk, Keep: 10}
		}
		return vfs.Action{}
	})
	if err := s.Deliver(context.Background(), lines(t, "a long line that is cut in the middle")); !errors.Is(err, errDisk) {
		t.Fatalf("Deliver = %v", err)
	}
	f.SetInjector(nil)
	deliver(t, s, "two")
	expectFiles(t, m, "one\ntwo\n")
}

func TestDiskFull(t *testing.T) {
	m := mem(t)
	s := build(t, m, map[string]string{"sink.rollInterval": "0"})
	open(t, s)
	deliver(t, s, "one")
	m.SetCapacity(10)
	for range 3 {
		err := s.Deliver(context.Background(), lines(t, "much too long", "for what is left"))
		if !errors.Is(err, syscall.ENOSPC) || flow.ClassOf(err) != flow.ClassRetry || !strings.Contains(err.Error(), "make room") {
			t.Fatalf("Deliver on a full disk = %v", err)
		}
	}
	m.SetCapacity(1000)
	deliver(t, s, "much too long", "for what is left")
	expectFiles(t, m, "one\nmuch too long\nfor what is left\n")
}

func TestAFileThatCannotBeClosedIsNotWrittenAgain(t *testing.T) {
	m := mem(t)
	f := vfs.NewFailing(m, vfs.Only(func(op vfs.Op) bool { return op.Kind == vfs.OpClose }, vfs.FailAt(0, errDisk)))
	s := build(t, f, map[string]string{"sink.rollInterval": "0"})
	open(t, s)
	deliver(t, s, "one")
	s.rotate()
	deliver(t, s, "two")
	expectFiles(t, m, "one\n", "two\n")
	if s.failed.Value() != 1 {
		t.Errorf("ConnectionFailedCount = %d", s.failed.Value())
	}
}

func TestSyncedBatchesSurviveACrash(t *testing.T) {
	m := mem(t)
	if err := m.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	s := build(t, m, map[string]string{"sink.rollInterval": "0", "sink.fsync": "batch"})
	if err := s.Open(context.Background()); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, "one")
	s.rotate()
	deliver(t, s, "two", "three")
	after := m.Crash(vfs.CrashPolicy{})
	if got := content(t, after, "text"); got != "one\ntwo\nthree\n" {
		t.Errorf("after a crash the files hold %q", got)
	}
	_ = s.Close(context.Background()) // on a disk that is gone
}

// letterEncoding makes files whose lines all begin with the same letter.
type letterEncoding struct{}
type letterEncoder struct {
	w     io.Writer
	first byte
}
type otherLetter struct{ runs []int }

var _ flow.Misfit = otherLetter{}

func (otherLetter) Error() string { return "another letter" }
func (o otherLetter) Runs() []int { return o.runs }

func (letterEncoding) NewEncoder(w io.Writer, _ bool) (flow.Encoder, error) {
	return &letterEncoder{w: w}, nil
}
func (l *letterEncoder) Encode(b *event.Batch) error {
	var wrong otherLetter
	first := l.first
	for i, e := range b.Events() {
		if first != 0 && e.Body[0] != first {
			wrong.runs = append(wrong.runs, i)
		}
		first = e.Body[0]
	}
	if wrong.runs != nil {
		return flow.Reject(wrong)
	}
	l.first = first
	for _, e := range b.Events() {
		if _, err := l.w.Write(e.Body); err != nil {
			return err
		}
	}
	return nil
}
func (l *letterEncoder) Flush() error { return nil }
func (l *letterEncoder) Close() error { return nil }

func TestOneFilePerRun(t *testing.T) {
	m := mem(t)
	s := build(t, m, map[string]string{"sink.rollInterval": "0"})
	s.encoding = letterEncoding{}
	open(t, s)
	deliver(t, s, "a1", "a2", "b1", "b2", "a3")
	deliver(t, s, "c1")
	deliver(t, s, "c2")
	expectFiles(t, m, "a1a2", "b1b2", "a3", "c1c2")
}

func TestAnEncoderThatCannotRewindGetsANewFile(t *testing.T) {
	m := mem(t)
	f := vfs.NewFailing(m, nil)
	s := build(t, f, map[string]string{"sink.rollInterval": "0"})
	s.encoding = letterEncoding{}
	open(t, s)
	deliver(t, s, "a1")
	f.SetInjector(vfs.Only(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite }, vfs.FailAt(1, errDisk)))
	b := lines(t, "a2", "a3")
	if err := s.Deliver(context.Background(), b); !errors.Is(err, errDisk) {
		t.Fatalf("Deliver = %v", err)
	}
	if err := s.Deliver(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	expectFiles(t, m, "a1", "a2a3")
}

func TestAllNamesTaken(t *testing.T) {
	m := mem(t)
	f := vfs.NewFailing(m, func(op vfs.Op) vfs.Action {
		if op.Kind == vfs.OpOpen {
			return vfs.Action{Err: syscall.EEXIST}
		}
		return vfs.Action{}
	})
	err := build(t, f, nil).Open(context.Background())
	if err == nil || !strings.Contains(err.Error(), filepath.Clean(dir)) || !strings.Contains(err.Error(), "are taken") {
		t.Errorf("Open = %v", err)
	}
}

func TestEachSchemaGetsAFile(t *testing.T) {
	m := mem(t)
	s := build(t, m, map[string]string{
		"sink.rollInterval": "0",
		"sink.serializer":   "org.apache.flume.sink.hdfs.AvroEventSerializer$Builder",
	})
	open(t, s)
	b := event.NewBatch()
	defer b.Release()
	for i, schema := range []string{`"long"`, `"long"`, `"int"`} {
		e := b.AppendCopy([]byte{byte(2 * i)})
		b.SetHeader(e, "flume.avro.schema.literal", schema)
	}
	for range 2 { // int and long again: two more files
		if err := s.Deliver(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
	bad := event.NewBatch()
	defer bad.Release()
	bad.AppendEvent(b.At(0))
	bad.AppendCopy([]byte("no schema"))
	if err := s.Deliver(context.Background(), bad); flow.ClassOf(err) != flow.ClassReject {
		t.Errorf("an event without schema: %v", err)
	}
	contents, _ := files(t, m)
	var got []string
	for _, c := range contents {
		r, err := ocf.NewReader(strings.NewReader(c))
		if err != nil {
			t.Fatal(err)
		}
		file := string(r.Metadata()["avro.schema"])
		var v any
		for err = r.Decode(&v); err == nil; err = r.Decode(&v) {
			file += fmt.Sprint(" ", v)
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		got = append(got, file)
	}
	if want := `["long" 0 1 "int" 2 "long" 0 1 "int" 2]`; fmt.Sprint(got) != want {
		t.Errorf("files hold %v, want %s", got, want)
	}
}

// hoarding is an encoder that keeps what it could not write, and cannot forget it.
type hoarding struct {
	w    io.Writer
	kept []byte
}

func (hoarding) NewEncoder(w io.Writer, _ bool) (flow.Encoder, error) { return &hoarding{w: w}, nil }

func (h *hoarding) Encode(b *event.Batch) error {
	for _, e := range b.Events() {
		h.kept = append(h.kept, e.Body...)
	}
	_, err := h.w.Write(h.kept)
	if err == nil {
		h.kept = nil
	}
	return err
}
func (h *hoarding) Flush() error { return nil }
func (h *hoarding) Close() error { return nil }

// TestAnEncoderThatCannotRewindIsNotUsedAfterALateCut: the file could not be cut
// back when the batch failed, only when it came again.
func TestAnEncoderThatCannotRewindIsNotUsedAfterALateCut(t *testing.T) {
	m := mem(t)
	f := vfs.NewFailing(m, nil)
	s := build(t, f, map[string]string{"sink.rollInterval": "0"})
	s.encoding = hoarding{}
	open(t, s)
	deliver(t, s, "a1")
	f.SetInjector(vfs.FailFrom(1, errDisk))
	b := lines(t, "a2", "a3")
	if err := s.Deliver(context.Background(), b); !errors.Is(err, errDisk) {
		t.Fatalf("Deliver = %v", err)
	}
	f.SetInjector(nil)
	for tries := 0; s.Deliver(context.Background(), b) != nil; tries++ {
		if tries == 3 {
			t.Fatal("the batch is never accepted")
		}
	}
	expectFiles(t, m, "a1", "a2a3")
}
