package event

import "unsafe"

// Pieces appends to dst the memory of the bodies of all events, in order and in as few pieces as it
// takes, and returns it. With separated, each body has one more byte behind it, which is not part
// of the event: a line's separator. That is so if all bodies were appended by AppendLine. Bodies that
// touch are one piece. The pieces are read-only, and valid as long as the batch is.
//
// A log or a connection gives them to a gathering write in place of copying the bodies together.
func (b *Batch) Pieces(dst [][]byte) (pieces [][]byte, separated bool) {
	behind := 1
	for i := range b.events {
		if body := b.events[i].Body; cap(body) == len(body) {
			behind = 0
			break
		}
	}
	var end, limit uintptr // of the latest piece, and of the block that it is in
	for i := range b.events {
		body := b.events[i].Body
		body = body[:len(body)+behind]
		if len(body) == 0 {
			continue
		}
		start := address(body)
		if start != end || start >= limit {
			dst = append(dst, body)
			limit = b.blockEnd(start)
		} else {
			last := &dst[len(dst)-1]
			*last = unsafe.Slice(unsafe.SliceData(*last), len(*last)+len(body))
		}
		end = start + uintptr(len(body))
	}
	return dst, behind == 1 && len(b.events) > 0
}

func address(p []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(p))) }

// blockEnd returns where the block of this batch's memory that holds address p ends; 0 if none does.
func (b *Batch) blockEnd(p uintptr) uintptr {
	for _, block := range b.mem.blocks {
		if start := address(block); p >= start && p < start+uintptr(len(block)) {
			return start + uintptr(len(block))
		}
	}
	for _, d := range b.deps {
		if end := d.blockEnd(p); end != 0 {
			return end
		}
	}
	return 0
}
