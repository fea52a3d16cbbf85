package wal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// ErrKey says that a key is missing, or not the one that a segment was sealed with.
var ErrKey = errors.New("no usable encryption key")

// Cipher has events encrypted on the disk. README.md says what remains visible.
type Cipher struct {
	// Active is the alias of the key for new segments, at most 255 bytes; "" writes new
	// segments in the clear, while old ones stay readable.
	Active string

	// Key returns the AES key of an alias, 16, 24 or 32 bytes. It is asked once for each alias
	// that is needed, while the log is opened; nobody may change the key later.
	Key func(alias string) ([]byte, error)
}

// What a segment header says of how the puts of the segment are stored.
const (
	cipherNone   = 0
	cipherAESGCM = 1
)

const (
	maxAlias     = 255
	saltSize     = 32
	keyCheckSize = 16
	// sealOverhead is what sealing adds to a payload: a random nonce and a tag.
	sealOverhead = 12 + 16
)

// sealing is how the puts of one life of a segment are encrypted, as its header says it.
type sealing struct {
	cipher uint8
	alias  string
	salt   [saltSize]byte
	check  [keyCheckSize]byte // tells whether a key is the right one
}

// overhead is what sealing adds to the payload of a put.
func (s *sealing) overhead() int {
	if s.cipher == cipherNone {
		return 0
	}
	return sealOverhead
}

// keyring keeps the keys of a log. Safe for concurrent use.
type keyring struct {
	source *Cipher // nil: no keys at all

	mu   sync.Mutex
	keys map[string][]byte
}

func newKeyring(c *Cipher) *keyring { return &keyring{source: c, keys: make(map[string][]byte)} }

// active is the alias for new segments.
func (k *keyring) active() string {
	if k.source == nil {
		return ""
	}
	return k.source.Active
}

// overhead is what sealing adds to the payload of a put in a new segment.
func (k *keyring) overhead() int {
	if k.active() == "" {
		return 0
	}
	return sealOverhead
}

// key returns the key of an alias.
func (k *keyring) key(alias string) ([]byte, error) {
	if k.source == nil {
		return nil, fmt.Errorf("%w: key %q is needed and encryption is not configured", ErrKey, alias)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok := k.keys[alias]; ok {
		return key, nil
	}
	key, err := k.source.Key(alias)
	if err != nil {
		return nil, fmt.Errorf("%w: key %q cannot be had: %w", ErrKey, alias, err)
	}
	switch len(key) {
	case 16, 24, 32:
	default:
		return nil, fmt.Errorf("%w: key %q has %d bytes; an AES key has 16, 24 or 32", ErrKey, alias, len(key))
	}
	key = bytes.Clone(key) // the caller may overwrite its own
	k.keys[alias] = key
	return key, nil
}

// begin gives a new life of a segment its sealing, with a salt of its own, and returns what seals its
// puts; nil if they are written in the clear.
func (k *keyring) begin(s *segment) (cipher.AEAD, error) {
	s.sealing = sealing{}
	alias := k.active()
	if alias == "" {
		return nil, nil //nolint:nilnil // in the clear there is nothing to seal with
	}
	s.sealing = sealing{cipher: cipherAESGCM, alias: alias}
	if _, err := rand.Read(s.sealing.salt[:]); err != nil {
		return nil, err
	}
	key, err := k.key(alias)
	if err != nil {
		return nil, err
	}
	derived, err := deriveKeys(key, s)
	if err != nil {
		return nil, err
	}
	s.sealing.check = derived.check
	return derived.aead, nil
}

// open returns what opens the puts of a segment; nil if they are in the clear. The error wraps ErrKey if
// the key is not there or not the right one.
func (k *keyring) open(s *segment) (cipher.AEAD, error) {
	switch s.sealing.cipher {
	case cipherNone:
		return nil, nil //nolint:nilnil // in the clear there is nothing to open
	case cipherAESGCM:
	default:
		return nil, fmt.Errorf("segment %s is sealed with cipher %d, which this version does not know; open it with the version that wrote it",
			s.path, s.sealing.cipher)
	}
	key, err := k.key(s.sealing.alias)
	if err != nil {
		return nil, fmt.Errorf("segment %s is sealed: %w; make the key available under this alias until the segment's events are gone", s.path, err)
	}
	derived, err := deriveKeys(key, s)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of segment %s: %w", s.path, err)
	}
	if subtle.ConstantTimeCompare(derived.check[:], s.sealing.check[:]) != 1 {
		return nil, fmt.Errorf("%w: segment %s was sealed with another key than the one that alias %q has now; give the alias its former key, and a new key a new alias",
			ErrKey, s.path, s.sealing.alias)
	}
	return derived.aead, nil
}

// derivedKeys is what a user's key becomes for one life of a segment.
type derivedKeys struct {
	aead  cipher.AEAD
	check [keyCheckSize]byte
}

// deriveKeys binds a key to a log, a generation and its salt. The key's length stays.
func deriveKeys(key []byte, s *segment) (derivedKeys, error) {
	var d derivedKeys
	life := binary.LittleEndian.AppendUint64(s.id[:len(s.id):len(s.id)], s.gen)
	check, err := hkdf.Key(sha256.New, key, s.sealing.salt[:], "flume wal key check"+string(life), keyCheckSize)
	if err != nil {
		return d, err
	}
	copy(d.check[:], check)
	own, err := hkdf.Key(sha256.New, key, s.sealing.salt[:], "flume wal segment key"+string(life), len(key))
	if err != nil {
		return d, err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return d, err
	}
	d.aead, err = cipher.NewGCMWithRandomNonce(block)
	return d, err
}

// sealedWith is what the tag of a sealed record covers beside the events: the place and all of the
// header but the payload's checksum, which is that of what the sealing makes, and what is before the put's index.
type sealedWith []byte

// fill sets the bytes for a record.
func (w *sealedWith) fill(at place, h *header, open []byte) {
	bare := *h
	bare.payloadCRC = 0
	var head [recordHeader]byte
	bare.encode(head[:])
	bound := at.bind(head[:])
	*w = append(append((*w)[:0], bound[:]...), open...)
}

// sealPut seals the payload of a put in place. It has sealOverhead bytes of room at its end.
func sealPut(aead cipher.AEAD, at place, h *header, payload []byte, scratch *sealedWith) {
	start, _ := putStart(payload)
	scratch.fill(at, h, payload[:start])
	text := payload[start : len(payload)-sealOverhead]
	aead.Seal(text[:0], nil, text, *scratch)
}

// openPut appends the payload of a sealed put to dst as it was before it was sealed.
func openPut(aead cipher.AEAD, dst []byte, at place, h *header, payload []byte, scratch *sealedWith) ([]byte, error) {
	start, ok := putStart(payload)
	if !ok || len(payload) < start+sealOverhead {
		return nil, errPayload
	}
	scratch.fill(at, h, payload[:start])
	dst = append(dst, payload[:start]...)
	return aead.Open(dst, nil, payload[start:], *scratch)
}
