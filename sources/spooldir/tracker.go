package spooldir

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/avro"

	"github.com/flume-go/flume/internal/ocf"
)

// The position file is Apache Flume's: an Avro container file of records with one field, the offset, of which the last counts. The header
// says of which file it is. Two things are added that Flume does not look at: size and time of the file in the header, and, where a place
// is not at a byte of its own, a record in front of the offset with the number of events between the two, as a negative number.
const (
	trackerSchema = `{"type":"record","name":"TransferStateFileMeta","namespace":"org.apache.flume.serialization","fields":[{"name":"offset","type":"long"}]}`

	fileKey     = "file"
	lengthKey   = "length"
	modifiedKey = "lastModified" // milliseconds since 1970

	mostTracker = 16 << 20
)

var trackerCanonical = avro.MustParse(trackerSchema).Canonical()

// saved is what a position file says.
type saved struct {
	target   string // path of the file, as Flume writes it
	at       mark
	length   int64 // of the file; -1 if it is not said
	modified int64 // time of the file, in milliseconds since 1970
}

// errForeign says that a file is no position file.
var errForeign = errors.New("it is not a position file of a spooling directory source")

// parseTracker reads a position file. A tail that is not complete or not what was written, as a power cut leaves it, is left out.
func parseTracker(data []byte) (*saved, error) {
	h := header{r: bufio.NewReader(bytes.NewReader(data)), left: mostHeader}
	meta, err := h.read()
	if err != nil {
		return nil, fmt.Errorf("reading its header: %w", cutShort(err))
	}
	schema, err := avro.Parse(string(meta["avro.schema"]))
	codec := string(meta["avro.codec"])
	if err != nil || !bytes.Equal(schema.Canonical(), trackerCanonical) || codec != "" && codec != "null" || len(meta[fileKey]) == 0 {
		return nil, errForeign
	}
	s := &saved{target: string(meta[fileKey]), length: -1}
	length, err1 := strconv.ParseInt(string(meta[lengthKey]), 10, 64)
	modified, err2 := strconv.ParseInt(string(meta[modifiedKey]), 10, 64)
	if err1 == nil && err2 == nil && length >= 0 {
		s.length, s.modified = length, modified
	}
	for rest := data[mostHeader-h.left:]; len(rest) > 0; {
		m, n := parseTrackerBlock(rest, h.sync)
		if n == 0 {
			break
		}
		s.at, rest = m, rest[n:]
	}
	return s, nil
}

// parseTrackerBlock reads the block that data begins with, and returns its last offset and its length, 0 if it is damaged.
func parseTrackerBlock(data []byte, sync [syncSize]byte) (m mark, length int) {
	count, n := binary.Varint(data)
	size, k := binary.Varint(data[max(n, 0):])
	at := n + k
	if n <= 0 || k <= 0 || count < 1 || size < 1 || size > int64(len(data)-at-syncSize) {
		return mark{}, 0
	}
	values := data[at : at+int(size)]
	if !bytes.Equal(data[at+int(size):][:syncSize], sync[:]) {
		return mark{}, 0
	}
	for range count {
		v, n := binary.Varint(values)
		if n <= 0 {
			return mark{}, 0
		}
		values = values[n:]
		if v < 0 {
			m.skip = -v
		} else {
			m.offset = v
		}
	}
	if len(values) > 0 || m.skip < 0 {
		return mark{}, 0
	}
	return m, at + int(size) + syncSize
}

// appendTracker appends the header of a position file and one position.
func appendTracker(dst []byte, s *saved, sync [syncSize]byte) []byte {
	entries := [][2]string{{"avro.schema", trackerSchema}, {fileKey, s.target}}
	if s.length >= 0 {
		entries = append(entries, [2]string{lengthKey, strconv.FormatInt(s.length, 10)}, [2]string{modifiedKey, strconv.FormatInt(s.modified, 10)})
	}
	dst = append(dst, "Obj\x01"...)
	dst = binary.AppendVarint(dst, int64(len(entries)))
	for _, kv := range entries {
		dst = ocf.AppendString(ocf.AppendString(dst, kv[0]), kv[1])
	}
	dst = append(binary.AppendVarint(dst, 0), sync[:]...)
	return appendPosition(dst, s.at, sync)
}

// appendPosition appends a position, which is a block of its own.
func appendPosition(dst []byte, m mark, sync [syncSize]byte) []byte {
	var values [2 * binary.MaxVarintLen64]byte
	v, count := values[:0], int64(1)
	if m.skip > 0 {
		v, count = binary.AppendVarint(v, -m.skip), 2
	}
	v = binary.AppendVarint(v, m.offset)
	dst = binary.AppendVarint(dst, count)
	dst = binary.AppendVarint(dst, int64(len(v)))
	return append(append(dst, v...), sync[:]...)
}

// milliseconds is a time as Java gives that of files.
func milliseconds(t time.Time) int64 { return t.UnixMilli() }
