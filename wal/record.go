package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// recordType is what a record's payload is.
type recordType uint8

const (
	recordPut recordType = 1 + iota
	recordAck
	recordSnapshot
)

const (
	recordHeader = 40
	recordAlign  = 64      // a cache line
	maxPayload   = 1 << 30 // a length beyond it is damage
)

// checksum is CRC-32 as in IEEE 802.3. Castagnoli's would do as well; package crc32 computes this one from beginning to end with
// carry-less products, and so at the speed at which memory is read, four times as fast where the bytes are not in a cache.
func checksum(p []byte) uint32 { return crc32.ChecksumIEEE(p) }

// logID is the random identity of a log.
type logID [16]byte

// place is where a record is. It is part of the record's checksum.
type place struct {
	id  logID
	gen uint64
	pos int64
}

// header is the head of a record.
type header struct {
	length     int // of the payload
	payloadCRC uint32
	kind       recordType
	synced     int64
	first      uint64
	count      int
}

// size returns the bytes that the whole record takes up.
func (h *header) size() int64 { return recordSize(h.length) }

// events returns the numbers of a put's events.
func (h *header) events() Range { return Range{h.first, h.first + uint64(h.count)} }

// recordSize returns the bytes that a record with a payload of this length takes up.
func recordSize(payload int) int64 { return align(int64(recordHeader+payload), recordAlign) }

// put writes the header to the first bytes of dst.
func (h *header) put(dst []byte, at place) {
	h.encode(dst)
	binary.LittleEndian.PutUint32(dst, at.checksum(dst))
}

// encode writes the header without its checksum.
func (h *header) encode(dst []byte) {
	le := binary.LittleEndian
	clear(dst[:recordHeader])
	le.PutUint32(dst[4:], uint32(h.length))
	le.PutUint32(dst[8:], h.payloadCRC)
	dst[12] = byte(h.kind)
	le.PutUint64(dst[16:], uint64(h.synced))
	le.PutUint64(dst[24:], h.first)
	le.PutUint32(dst[32:], uint32(h.count))
}

// boundHeader is the length of a header that is bound to its place.
const boundHeader = 32 + recordHeader - 4

// bind returns the place and the header behind its checksum.
func (at place) bind(head []byte) (b [boundHeader]byte) {
	copy(b[:], at.id[:])
	binary.LittleEndian.PutUint64(b[16:], at.gen)
	binary.LittleEndian.PutUint64(b[24:], uint64(at.pos))
	copy(b[32:], head[4:recordHeader])
	return b
}

// checksum is that of a record header at this place: of what bind returns. The place goes in byte by byte, because a slice
// of it, given to package crc32, would be an allocation for each record.
func (at place) checksum(head []byte) uint32 {
	sum := ^uint32(0)
	for _, b := range at.id {
		sum = crc32.IEEETable[byte(sum)^b] ^ sum>>8
	}
	for _, n := range [...]uint64{at.gen, uint64(at.pos)} {
		for range 8 {
			sum = crc32.IEEETable[byte(sum)^byte(n)] ^ sum>>8
			n >>= 8
		}
	}
	return crc32.Update(^sum, crc32.IEEETable, head[4:recordHeader])
}

// parseHeader returns the header in the first bytes of src, false if there is no good one of
// this place. The rest of src is not looked at.
func parseHeader(src []byte, at place) (header, bool) {
	if len(src) < recordHeader {
		return header{}, false
	}
	le := binary.LittleEndian
	sum := le.Uint32(src)
	h := header{
		length:     int(le.Uint32(src[4:])),
		payloadCRC: le.Uint32(src[8:]),
		kind:       recordType(src[12]),
		synced:     int64(le.Uint64(src[16:])),
		first:      le.Uint64(src[24:]),
		count:      int(le.Uint32(src[32:])),
	}
	if !maybeHeader(src) || h.length > maxPayload || sum != at.checksum(src) {
		return header{}, false
	}
	return h, true
}

// maybeHeader is the part of parseHeader that is cheap enough to be asked at every place of a segment where one may be: the
// type, and the zeros behind it.
func maybeHeader(src []byte) bool {
	return binary.LittleEndian.Uint32(src[12:])-uint32(recordPut) <= uint32(recordSnapshot-recordPut)
}

// newRecord returns a buffer for a record with this payload length, which is buf if that is large
// enough. The payload is at recordHeader and arbitrary; the padding behind it is zero.
func newRecord(buf []byte, payload int) []byte {
	size := int(recordSize(payload))
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	clear(buf[recordHeader+payload:])
	return buf
}
