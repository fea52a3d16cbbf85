package avro

import (
	"crypto/md5" //nolint:gosec // an identifier that the protocol prescribes
	"encoding/hex"
	"slices"
	"strconv"
)

// Status is what a server answers.
type Status int

// The statuses, by their numbers on the wire.
const (
	OK      Status = iota // the events are stored
	Failed                // they are not, or not everywhere
	Unknown               // never sent by Apache Flume
)

// String returns the name in the protocol.
func (s Status) String() string {
	switch s {
	case OK:
		return "OK"
	case Failed:
		return "FAILED"
	case Unknown:
		return "UNKNOWN"
	default:
		return "status " + strconv.Itoa(int(s))
	}
}

// Names of the messages.
const (
	messageAppend = "append"
	messageBatch  = "appendBatch"
)

// hash identifies the text of a protocol: its MD5. Nobody checks that they fit.
type hash [md5.Size]byte

// text is the protocol as JSON, in the form of Avro's Java library. Apache Flume's
// own has the licence of its source as a "doc" besides, by accident.
const text = `{"protocol":"AvroSourceProtocol","namespace":"org.apache.flume.source.avro","types":[` +
	`{"type":"enum","name":"Status","symbols":["OK","FAILED","UNKNOWN"]},` +
	`{"type":"record","name":"AvroFlumeEvent","fields":[` +
	`{"name":"headers","type":{"type":"map","values":"string"}},{"name":"body","type":"bytes"}]}],` +
	`"messages":{"append":{"request":[{"name":"event","type":"AvroFlumeEvent"}],"response":"Status"},` +
	`"appendBatch":{"request":[{"name":"events","type":{"type":"array","items":"AvroFlumeEvent"}}],"response":"Status"}}}`

// The hashes by which the protocol is known.
var (
	hashText = hash(md5.Sum([]byte(text)))                   // of text
	hash1    = parseHash("86aadae2c45474c0fe93ffd0f2350a65") // Apache Flume 1.3 to 1.11
	hash2    = parseHash("8076c53714e01f6e2c1deb9544e7b1fe") // its 2.0 line
)

// protocol is one that is spoken here.
type protocol struct {
	text     string
	hash     hash              // of text
	known    []hash            // of other texts of it
	messages map[string]string // the structures of their parameters
	response string            // the structure of all answers
}

// current is the protocol of Flume since 1.0.
var current = &protocol{
	text: text, hash: hashText, known: []hash{hash1, hash2},
	messages: map[string]string{
		messageAppend: "event:" + eventShape,
		messageBatch:  "events:array<" + eventShape + ">",
	},
	response: statusShape,
}

// has reports whether h stands for p.
func (p *protocol) has(h hash) bool { return h == p.hash || slices.Contains(p.known, h) }

func parseHash(s string) (h hash) {
	if n, err := hex.Decode(h[:], []byte(s)); err != nil || n != len(h) {
		panic("avro: " + s + " is no hash")
	}
	return h
}

// match is the server's word on a handshake.
type match int

const (
	matchBoth match = iota
	matchClient
	matchNone
)
