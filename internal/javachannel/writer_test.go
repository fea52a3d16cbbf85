package javachannel

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/golang/snappy"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/vfs"
)

// These write the format, so that tests can make any state, also what Flume never does.

func fixed32(b []byte, num protowire.Number, v uint32) []byte {
	return protowire.AppendFixed32(protowire.AppendTag(b, num, protowire.Fixed32Type), v)
}

func fixed64(b []byte, num protowire.Number, v int64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, num, protowire.Fixed64Type), uint64(v))
}

func bytesField(b []byte, num protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), v)
}

// payload encodes a record around the message of its kind.
func payload(k kind, transaction, order int64, msg []byte) []byte {
	head := fixed64(fixed64(fixed32(nil, 1, uint32(k)), 2, transaction), 3, order)
	p := protowire.AppendBytes(nil, head)
	p = protowire.AppendBytes(p, msg)
	return protowire.AppendBytes(p, nil)
}

// putMessage encodes a put of an event with headers given as key, value, ….
func putMessage(body string, headers ...string) []byte {
	var e []byte
	for pair := range slices.Chunk(headers, 2) {
		e = bytesField(e, 1, bytesField(bytesField(nil, 1, []byte(pair[0])), 2, []byte(pair[1])))
	}
	e = bytesField(e, 2, []byte(body))
	return fixed64(bytesField(nil, 1, e), 2, int64(crc32.ChecksumIEEE([]byte(body))))
}

// logWriter is a log being written.
type logWriter struct {
	id      int32
	data    []byte
	meta    logMeta
	version int
	key     []byte // of an encrypted log
}

func newLog(id int32) *logWriter {
	return &logWriter{id: id, version: version3, meta: logMeta{version: version3, id: id}}
}

func (w *logWriter) add(k kind, transaction, order int64, msg []byte) pointer {
	at := pointerTo(w.id, int64(len(w.data)))
	p := payload(k, transaction, order, msg)
	if w.key != nil {
		p = crypt(w.key, w.meta.encryption.iv, p)
	}
	w.data = append(w.data, opRecord)
	w.data = binary.BigEndian.AppendUint32(w.data, uint32(len(p)))
	w.data = append(w.data, p...)
	return at
}

func (w *logWriter) put(transaction, order int64, body string) pointer {
	return w.add(kindPut, transaction, order, putMessage(body))
}

func (w *logWriter) take(transaction, order int64, p pointer) {
	w.add(kindTake, transaction, order, fixed32(fixed32(nil, 1, uint32(p.file())), 2, uint32(p.offset())))
}

func (w *logWriter) rollback(transaction, order int64) { w.add(kindRollback, transaction, order, nil) }

func (w *logWriter) commit(transaction, order int64, of kind) {
	w.add(kindCommit, transaction, order, fixed32(nil, 1, uint32(of)))
}

func (w *logWriter) encrypt(alias string, key []byte) {
	w.key = key
	w.meta.encryption = &encryptionMeta{provider: cipherNames[0], alias: alias, iv: []byte("abcdefghijkl\x00\x00\x00\x01")}
}

// metaBytes encodes the .meta file.
func (w *logWriter) metaBytes() []byte {
	m := fixed32(fixed32(nil, 1, uint32(w.meta.version)), 2, uint32(w.meta.id))
	m = fixed64(fixed64(m, 3, w.meta.position), 4, w.meta.order)
	if e := w.meta.encryption; e != nil {
		m = bytesField(m, 5, bytesField(bytesField(bytesField(nil, 1, []byte(e.provider)), 2, []byte(e.alias)), 3, e.iv))
	}
	m = fixed64(fixed64(m, 6, w.meta.backupPosition), 7, w.meta.backupOrder)
	return protowire.AppendBytes(nil, m)
}

// mark notes a checkpoint, as Flume does in the .meta file.
func (w *logWriter) mark(order int64) {
	w.meta.backupPosition, w.meta.backupOrder = w.meta.position, w.meta.order
	w.meta.position, w.meta.order = int64(len(w.data)), order
}

func crypt(key, iv, data []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	out := make([]byte, len(data))
	cipher.NewCTR(block, iv).XORKeyStream(out, data)
	return out
}

// channel is a file system with the directories of a channel: /c, /b and /d1, /d2, ….
type channel struct {
	t  failer
	fs *vfs.Mem
}

// failer is what *testing.T and *rapid.T have in common.
type failer interface {
	Helper()
	Fatal(args ...any)
	Error(args ...any)
}

func newChannel(t failer) *channel {
	c := &channel{t: t, fs: vfs.NewMem(1)}
	for _, dir := range []string{"/c", "/b", "/d1", "/d2"} {
		if err := c.fs.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func (c *channel) write(name string, data []byte) {
	c.t.Helper()
	f, err := c.fs.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		c.t.Fatal(err)
	}
}

func (c *channel) read(name string) []byte {
	c.t.Helper()
	data, err := vfs.ReadFile(c.fs, name)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

// log stores a log with some filler behind it.
func (c *channel) log(dir string, w *logWriter) {
	c.t.Helper()
	name := filepath.Join(dir, fmt.Sprintf("log-%d", w.id))
	c.write(name, append(slices.Clone(w.data), bytes.Repeat([]byte{opEnd}, 100)...))
	if w.version == version3 {
		c.write(name+".meta", w.metaBytes())
	}
}

// checkpointFiles are the content of a checkpoint.
type checkpointFiles struct {
	order       int64
	queue       []pointer
	puts, takes map[int64][]pointer
	head        int
	capacity    int
}

func (f checkpointFiles) table() []byte {
	words := make([]uint64, ringStart+f.capacity)
	words[0], words[1] = version3, uint64(f.order)
	for i, p := range f.queue {
		words[ringStart+(f.head+i)%f.capacity] = uint64(p)
	}
	var data []byte
	for _, w := range words {
		data = binary.BigEndian.AppendUint64(data, w)
	}
	return data
}

func (f checkpointFiles) meta() []byte {
	m := fixed64(fixed32(nil, 1, version3), 2, f.order)
	m = fixed32(fixed32(m, 3, uint32(len(f.queue))), 4, uint32(f.head))
	m = bytesField(m, 5, fixed32(fixed32(nil, 1, 1), 2, uint32(len(f.queue))))
	return protowire.AppendBytes(nil, m)
}

func inflightBytes(open map[int64][]pointer) []byte {
	var data []byte
	for _, id := range slices.Sorted(maps.Keys(open)) {
		data = binary.BigEndian.AppendUint64(data, uint64(id))
		data = binary.BigEndian.AppendUint64(data, uint64(len(open[id])))
		for _, p := range open[id] {
			data = binary.BigEndian.AppendUint64(data, uint64(p))
		}
	}
	data = append(data, make([]byte, 16)...)
	sum := md5.Sum(data)
	return append(sum[:], data...)
}

// checkpoint stores a checkpoint in a directory.
func (c *channel) checkpoint(dir string, f checkpointFiles) {
	c.t.Helper()
	if f.capacity == 0 {
		f.capacity = 20
	}
	c.write(dir+"/checkpoint", f.table())
	c.write(dir+"/checkpoint.meta", f.meta())
	c.write(dir+"/inflightputs", inflightBytes(f.puts))
	c.write(dir+"/inflighttakes", inflightBytes(f.takes))
}

// snappyBytes compresses as snappy-java does.
func snappyBytes(data []byte) []byte {
	out := append([]byte(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for block := range slices.Chunk(data, 32<<10) {
		packed := snappy.Encode(nil, block)
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(packed))), packed...)
	}
	return out
}

func (c *channel) options() Options {
	return Options{FS: c.fs, CheckpointDir: "/c", BackupDir: "/b", DataDirs: []string{"/d1", "/d2"}}
}

// open opens the channel. Without a Lock there is nothing that would have to be closed.
func (c *channel) open() *Dir {
	c.t.Helper()
	d, err := Open(context.Background(), c.options())
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// bodies reads the bodies of all events.
func bodies(t failer, d *Dir) []string {
	t.Helper()
	got := []string{}
	err := d.Read(context.Background(), func(b *event.Batch) error {
		for _, e := range b.Events() {
			got = append(got, string(e.Body))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return got
}
