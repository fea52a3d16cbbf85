package javachannel

import (
	"bytes"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"slices"
)

// maxInflight bounds an inflight file: it holds the pointers of transactions open at one moment.
const maxInflight = 256 << 20

// parseInflight decodes an inflight file: the pointers of each open transaction, sorted. They were written in
// the order of a hash table; a transaction puts into one directory, so sorted means in the order of the puts.
func parseInflight(data []byte) (map[int64][]pointer, error) {
	if len(data) == 0 {
		return nil, nil
	}
	if len(data) < md5.Size {
		return nil, fmt.Errorf("%w: %d bytes", errMalformed, len(data))
	}
	sum := md5.Sum(data[md5.Size:])
	if !bytes.Equal(sum[:], data[:md5.Size]) {
		return nil, fmt.Errorf("the checksum is %x and should be %x", sum, data[:md5.Size])
	}
	words := data[md5.Size:]
	open := make(map[int64][]pointer)
	for len(words) >= 16 {
		transaction := int64(binary.BigEndian.Uint64(words))
		n := binary.BigEndian.Uint64(words[8:])
		words = words[16:]
		if n > uint64(len(words)/8) {
			return nil, fmt.Errorf("%w: %d pointers, %d bytes left", errMalformed, n, len(words))
		}
		for range n {
			p := pointer(binary.BigEndian.Uint64(words))
			if !p.valid() {
				return nil, fmt.Errorf("%w: pointer %#x", errMalformed, uint64(p))
			}
			open[transaction] = append(open[transaction], p)
			words = words[8:]
		}
	}
	// What follows the last transaction is two words of zeros, which the loop took for an empty one.
	for _, pointers := range open {
		slices.Sort(pointers)
	}
	return open, nil
}
