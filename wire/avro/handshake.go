package avro

import (
	"encoding/binary"
	"sync"
)

// peers remembers the protocols that clients have declared, by their hashes, as the
// Java server does: other clients may refer to them. Safe for concurrent use.
type peers struct {
	protocol *protocol
	orders   bool // see Client.Orders

	mu    sync.Mutex
	known map[hash]error // what it differs in; nil if it does not
}

// maxPeers is the most protocols that are remembered. Whoever comes with another
// after that is asked for its text each time.
const maxPeers = 64

// find returns what is known of a hash.
func (p *peers) find(h hash) (foreign error, ok bool) {
	if p.protocol.has(h) {
		return nil, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	foreign, ok = p.known[h]
	return foreign, ok
}

// declare takes a client's word for what a hash stands for.
func (p *peers) declare(h hash, text []byte) (foreign error) {
	foreign = p.protocol.check(text)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known == nil {
		p.known = map[hash]error{}
	}
	if len(p.known) < maxPeers {
		p.known[h] = foreign
	}
	return foreign
}

// handshake reads the request of a handshake and appends the response to out. known
// says whether the rest of the request counts, and foreign what is wrong with it then.
func (p *peers) handshake(in *input, out []byte) (_ []byte, known bool, foreign, err error) {
	var client, server hash
	if err := in.full(client[:]); err != nil {
		return out, false, nil, err
	}
	declaration, declared, err := in.optional("the text of a protocol", maxText)
	if err != nil {
		return out, false, nil, err
	}
	if err := in.full(server[:]); err != nil {
		return out, false, nil, err
	}
	branch, err := in.index("the metadata of a handshake", 2)
	if err != nil {
		return out, false, nil, err
	}
	var meta Meta
	if branch == 1 {
		if meta, err = in.meta(); err != nil {
			return out, false, nil, err
		}
	}
	foreign, known = p.find(client)
	if !known && declared {
		foreign, known = p.declare(client, declaration), true
	}
	switch {
	case known && p.protocol.has(server):
		out = append(out, byte(matchBoth)<<1, 0, 0)
		return appendHandshakeMeta(out, p.orders && meta.isAhead()), known, foreign, nil
	case known:
		out = append(out, byte(matchClient)<<1)
	default:
		out = append(out, byte(matchNone)<<1)
	}
	out = append(out, 2)
	out = appendString(out, p.protocol.text)
	out = append(out, 2)
	out = append(out, p.protocol.hash[:]...)
	return appendHandshakeMeta(out, p.orders && meta.isAhead()), known, foreign, nil
}

// optional reads a union of null and a string or bytes.
func (in *input) optional(what string, most int) (p []byte, ok bool, err error) {
	branch, err := in.index(what, 2)
	if err != nil || branch == 0 {
		return nil, false, err
	}
	p, err = in.bytes(what, most)
	return p, err == nil, err
}

// appendHandshake appends a client's part. text is empty if the server is believed
// to know it.
func appendHandshake(out []byte, client hash, text string, server hash) []byte {
	out = append(out, client[:]...)
	if text == "" {
		out = append(out, 0)
	} else {
		out = appendString(append(out, 2), text)
	}
	return appendHandshakeMeta(append(out, server[:]...), true)
}

// agreement is a server's part of a handshake.
type agreement struct {
	match match
	text  []byte // of the server's protocol; nil if it is known
	hash  hash   // of it, if text is not nil
	ahead bool   // it keeps the order of calls that are sent ahead
}

// agreement reads a server's part.
func (in *input) agreement() (a agreement, err error) {
	m, err := in.index("the match of a handshake", 3)
	if err != nil {
		return a, err
	}
	a.match = match(m)
	if a.text, _, err = in.optional("the text of a protocol", maxText); err != nil {
		return a, err
	}
	branch, err := in.index("the hash of a protocol", 2)
	if err != nil {
		return a, err
	}
	if branch == 1 {
		if err := in.full(a.hash[:]); err != nil {
			return a, err
		}
	}
	if branch, err = in.index("the metadata of a handshake", 2); err != nil || branch == 0 {
		return a, err
	}
	meta, err := in.meta()
	a.ahead = meta.isAhead()
	return a, err
}

// frameHead is what stands before the payload of a frame of one buffer.
const frameHead = 12

// beginFrame appends the head of a frame of one buffer, to the front of which
// endFrame writes its length.
func beginFrame(p []byte, serial uint32) []byte {
	p = binary.BigEndian.AppendUint32(p, serial)
	return append(p, 0, 0, 0, 1, 0, 0, 0, 0)
}

// endFrame completes a frame that is all of p.
func endFrame(p []byte) []byte {
	binary.BigEndian.PutUint32(p[8:], uint32(len(p)-frameHead))
	return p
}

// appendStatus appends a result: no metadata, no failure, and the status.
func appendStatus(p []byte, s Status) []byte {
	return appendLong(append(p, 0, 0), int64(s))
}

// maxFailure is the longest text of an error that is sent.
const maxFailure = 2000

// appendFailure appends an error: no metadata, failure, and the first branch of its
// union, a string.
func appendFailure(p []byte, err error) []byte {
	text := err.Error()
	return appendString(append(p, 0, 1, 0), text[:min(len(text), maxFailure)])
}
