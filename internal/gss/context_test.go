package gss

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-krb5/krb5/types"
)

// TestMessages: what one end protects, the other one takes, in both directions, with every
// type of keys, however it is rotated.
func TestMessages(t *testing.T) {
	w := newWorld(t, "")
	for _, typ := range strong {
		i, a := w.contexts(t, terms{typ: typ})
		if i.Peer().String() != testService || a.Peer().String() != testClient {
			t.Errorf("%s: the ends are %s and %s", typeName(typ), i.Peer(), a.Peer())
		}
		for _, ends := range [][2]*Context{{i, a}, {a, i}, {i, a}} {
			for _, size := range []int{0, 1, 15, 16, 17, 1000, 70000} {
				for _, seal := range []bool{false, true} {
					message := bytes.Repeat([]byte{'m'}, size)
					token, err := ends[0].Wrap(message, seal)
					if err != nil {
						t.Fatal(err)
					}
					if len(token) != size+ends[0].Overhead(seal) {
						t.Errorf("%s: %d bytes become %d, not %d more", typeName(typ), size, len(token), ends[0].Overhead(seal))
					}
					if seal && size > 15 && bytes.Contains(token, message) {
						t.Errorf("%s: a sealed message can be read", typeName(typ))
					}
					got, sealedBy, err := ends[1].Unwrap(rotate(token, size*7+3))
					if err != nil || !bytes.Equal(got, message) || sealedBy != seal {
						t.Errorf("%s, %d bytes, sealed %v: %d bytes, sealed %v, %v", typeName(typ), size, seal, len(got), sealedBy, err)
					}
				}
			}
			mic, err := ends[0].MIC([]byte("message"))
			if err != nil {
				t.Fatal(err)
			}
			if err := ends[1].Verify([]byte("message"), mic); err != nil {
				t.Errorf("%s: %v", typeName(typ), err)
			}
		}
	}
}

// rotate rotates a token by n bytes to the right, as its maker may.
func rotate(token []byte, n int) []byte {
	out := slices.Clone(token[:headerSize])
	data := token[headerSize:]
	binary.BigEndian.PutUint16(out[6:], uint16(n))
	k := len(data) - int(uint16(n))%len(data)
	return slices.Concat(out, data[k:], data[:k])
}

// TestDamage: no bit of a token can be changed, no message left out, repeated or sent back.
func TestDamage(t *testing.T) {
	w := newWorld(t, "")
	for _, seal := range []bool{false, true} {
		i, a := w.contexts(t, terms{})
		first, _ := i.Wrap([]byte("first"), seal)
		second, _ := i.Wrap([]byte("second"), seal)
		for bit := range len(first) * 8 {
			bad := slices.Clone(first)
			bad[bit/8] ^= 1 << (bit % 8)
			if message, _, err := a.Unwrap(bad); !errors.Is(err, ErrDefective) {
				t.Fatalf("sealed %v, bit %d changed: %q, %v", seal, bit, message, err)
			}
		}
		for n := range first {
			if _, _, err := a.Unwrap(first[:n]); !errors.Is(err, ErrDefective) {
				t.Fatalf("sealed %v, cut to %d bytes: %v", seal, n, err)
			}
		}
		if _, _, err := i.Unwrap(first); !errors.Is(err, ErrDefective) {
			t.Errorf("its own: %v", err)
		}
		if _, _, err := a.Unwrap(second); !errors.Is(err, ErrDefective) {
			t.Errorf("one left out: %v", err)
		}
		if _, _, err := a.Unwrap(first); err != nil {
			t.Error(err)
		}
		if _, _, err := a.Unwrap(first); !errors.Is(err, ErrDefective) {
			t.Errorf("repeated: %v", err)
		}
		if got, _, err := a.Unwrap(second); err != nil || string(got) != "second" {
			t.Errorf("%q, %v", got, err)
		}
	}
	i, a := w.contexts(t, terms{})
	mic, _ := a.MIC([]byte("message"))
	for bit := range len(mic) * 8 {
		bad := slices.Clone(mic)
		bad[bit/8] ^= 1 << (bit % 8)
		if err := i.Verify([]byte("message"), bad); !errors.Is(err, ErrDefective) {
			t.Fatalf("bit %d changed: %v", bit, err)
		}
	}
	if err := i.Verify([]byte("massage"), mic); !errors.Is(err, ErrDefective) {
		t.Errorf("another message: %v", err)
	}
}

// TestVectors: tokens that MIT Kerberos 1.20.1 has made with a key that is known.
func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		c, err := newContext(Principal{Name: "peer"}, types.EncryptionKey{KeyType: v.typ, KeyValue: v.key})
		if err != nil {
			t.Fatal(err)
		}
		c.acceptor, c.subkey = !v.fromAcceptor, v.subkey
		switch v.what {
		case "mic":
			err = c.Verify(v.message, v.token)
		default:
			var got []byte
			var seal bool
			if got, seal, err = c.Unwrap(v.token); err == nil && (!bytes.Equal(got, v.message) || seal != (v.what == "seal")) {
				err = fmt.Errorf("%q, sealed %v", got, seal)
			}
		}
		if err != nil {
			t.Errorf("%s with %s from acceptor %v: %v", v.what, typeName(v.typ), v.fromAcceptor, err)
		}
	}
}

type vector struct {
	what                 string
	typ                  int32
	fromAcceptor, subkey bool
	key, message, token  []byte
}

// readVectors reads testdata/mit.txt: what, type, acceptor, subkey, and in hex key, message
// and token.
func readVectors(t *testing.T) []vector {
	t.Helper()
	var all []vector
	for line := range strings.Lines(string(read(t, "testdata/mit.txt"))) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var v vector
		var key, message, token string
		if _, err := fmt.Sscan(line, &v.what, &v.typ, &v.fromAcceptor, &v.subkey, &key, &message, &token); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		for _, h := range []struct {
			to   *[]byte
			from string
		}{{&v.key, key}, {&v.message, message}, {&v.token, token}} {
			var err error
			if *h.to, err = hex.DecodeString(h.from); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, v)
	}
	if len(all) < 10 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

// FuzzUnwrap: any bytes are a token or an error, for both ends.
func FuzzUnwrap(f *testing.F) {
	w := newWorld(f, "")
	i, a := w.contexts(f, terms{})
	i.ordered, a.ordered = false, false
	for _, seal := range []bool{false, true} {
		token, err := i.Wrap([]byte("message"), seal)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
		f.Add(rotate(token, 5))
	}
	mic, err := i.MIC(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(mic)
	f.Add([]byte("\x05\x04\x06\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, token []byte) {
		for _, c := range []*Context{i, a} {
			if message, _, err := c.Unwrap(token); err != nil && !errors.Is(err, ErrDefective) || len(message) > len(token) {
				t.Errorf("%d bytes, %v", len(message), err)
			}
			if err := c.Verify(nil, token); err != nil && !errors.Is(err, ErrDefective) {
				t.Error(err)
			}
		}
	})
}
