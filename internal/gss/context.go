package gss

import (
	"crypto/hmac"
	"encoding/binary"
	"slices"

	"github.com/go-krb5/krb5/crypto/etype"
	"github.com/go-krb5/krb5/iana/keyusage"
	"github.com/go-krb5/krb5/types"
)

// Flags of a context (RFC 4121, 4.1.1.1).
const (
	flagMutual    = 2
	flagReplay    = 4
	flagSequence  = 8
	flagSeal      = 16
	flagIntegrity = 32
)

// Bytes of per-message tokens (RFC 4121, 4.2).
const (
	headerSize = 16

	fromAcceptor   = 1
	sealed         = 2
	acceptorSubkey = 4
)

var (
	wrapID = [2]byte{0x05, 0x04}
	micID  = [2]byte{0x04, 0x04}
)

// Context protects messages between two ends that know each other. Not safe for
// concurrent use.
type Context struct {
	peer     Principal
	key      types.EncryptionKey
	cipher   etype.EType
	acceptor bool // this end accepted it
	subkey   bool // the key is the acceptor's
	ordered  bool // numbers of messages count

	sent, received uint64 // numbers of the next messages
}

func newContext(peer Principal, key types.EncryptionKey) (*Context, error) {
	cipher, err := cipherOf(key)
	if err != nil {
		return nil, err
	}
	return &Context{peer: peer, key: key, cipher: cipher}, nil
}

// Peer returns who is at the other end.
func (c *Context) Peer() Principal { return c.peer }

// usages returns the key usages of what the acceptor (or else the initiator) sends.
func usages(acceptor bool) (seal, sign uint32) {
	if acceptor {
		return keyusage.GSSAPI_ACCEPTOR_SEAL, keyusage.GSSAPI_ACCEPTOR_SIGN
	}
	return keyusage.GSSAPI_INITIATOR_SEAL, keyusage.GSSAPI_INITIATOR_SIGN
}

func (c *Context) macSize() int { return c.cipher.GetHMACBitLength() / 8 }

// header returns the header of the next token to send.
func (c *Context) header(id [2]byte, flags byte) []byte {
	if c.acceptor {
		flags |= fromAcceptor
	}
	if c.subkey {
		flags |= acceptorSubkey
	}
	h := append(make([]byte, 0, headerSize), id[0], id[1], flags, 0xFF)
	if id == micID {
		h = append(h, 0xFF, 0xFF, 0xFF, 0xFF)
	} else {
		h = append(h, 0, 0, 0, 0) // extra count and rotation
	}
	h = binary.BigEndian.AppendUint64(h, c.sent)
	c.sent++
	return h
}

// Wrap protects a message: against changes, and if seal is set, against readers, too.
func (c *Context) Wrap(message []byte, seal bool) ([]byte, error) {
	usage, _ := usages(c.acceptor)
	if seal {
		h := c.header(wrapID, sealed)
		_, data, err := c.cipher.EncryptMessage(c.key.KeyValue, slices.Concat(message, h), usage)
		return append(h, data...), err
	}
	h := c.header(wrapID, 0)
	sum, err := c.cipher.GetChecksumHash(c.key.KeyValue, slices.Concat(message, h), usage)
	binary.BigEndian.PutUint16(h[4:], uint16(len(sum)))
	return slices.Concat(h, message, sum), err
}

// Overhead returns by how many bytes Wrap makes a message longer.
func (c *Context) Overhead(seal bool) int {
	if seal {
		return 2*headerSize + c.cipher.GetConfounderByteSize() + c.macSize()
	}
	return headerSize + c.macSize()
}

// Unwrap returns the message in what Wrap has made at the other end, and whether
// nobody could read it.
func (c *Context) Unwrap(token []byte) (message []byte, seal bool, err error) {
	defer guarded(&err)
	h, data, err := c.open(wrapID, token)
	if err != nil {
		return nil, false, err
	}
	extra, rotated := int(binary.BigEndian.Uint16(h[4:])), int(binary.BigEndian.Uint16(h[6:]))
	data = unrotate(data, rotated)
	clear(h[6:8]) // the rotation is not protected
	usage, _ := usages(!c.acceptor)
	if seal = h[2]&sealed != 0; seal {
		message, err = c.unseal(h, data, extra, usage)
	} else {
		message, err = c.verify(h, data, extra, usage)
	}
	if err == nil {
		err = c.count(h)
	}
	return message, seal, err
}

func (c *Context) unseal(h, data []byte, extra int, usage uint32) ([]byte, error) {
	plain, err := decrypt(c.key, usage, data)
	if err != nil {
		return nil, err
	}
	n := len(plain) - headerSize - extra
	if n < 0 || !hmac.Equal(plain[len(plain)-headerSize:], h) {
		return nil, defective("its header was changed")
	}
	return plain[:n], nil
}

func (c *Context) verify(h, data []byte, extra int, usage uint32) ([]byte, error) {
	n := len(data) - extra
	if extra != c.macSize() || n < 0 {
		return nil, defective("its checksum has %d bytes", extra)
	}
	clear(h[4:6])
	if !c.cipher.VerifyChecksum(c.key.KeyValue, slices.Concat(data[:n], h), data[n:], usage) {
		return nil, defective("its checksum is wrong")
	}
	return data[:n], nil
}

// MIC returns a checksum that Verify knows at the other end.
func (c *Context) MIC(message []byte) ([]byte, error) {
	_, usage := usages(c.acceptor)
	h := c.header(micID, 0)
	sum, err := c.cipher.GetChecksumHash(c.key.KeyValue, slices.Concat(message, h), usage)
	return append(h, sum...), err
}

// Verify returns nil if token is what MIC has made of message at the other end.
func (c *Context) Verify(message, token []byte) (err error) {
	defer guarded(&err)
	h, sum, err := c.open(micID, token)
	if err != nil {
		return err
	}
	_, usage := usages(!c.acceptor)
	if h[2]&sealed != 0 || !c.cipher.VerifyChecksum(c.key.KeyValue, slices.Concat(message, h), sum, usage) {
		return defective("its checksum is wrong")
	}
	return c.count(h)
}

// open checks the header of a token. h is a copy.
func (c *Context) open(id [2]byte, token []byte) (h, data []byte, err error) {
	if len(token) < headerSize || [2]byte(token) != id || token[3] != 0xFF {
		return nil, nil, defective("it is none that protects a message")
	}
	if id == micID && binary.BigEndian.Uint32(token[4:]) != 0xFFFFFFFF {
		return nil, nil, defective("its header is damaged")
	}
	if (token[2]&fromAcceptor != 0) == c.acceptor {
		return nil, nil, defective("it was made by this end")
	}
	if (token[2]&acceptorSubkey != 0) != c.subkey {
		return nil, nil, defective("it is protected by another key than agreed upon")
	}
	return slices.Clone(token[:headerSize]), token[headerSize:], nil
}

// count checks the number of a token that was proved to be genuine.
func (c *Context) count(h []byte) error {
	if !c.ordered {
		return nil
	}
	if n := binary.BigEndian.Uint64(h[8:]); n != c.received {
		return defective("it is number %d, not %d: messages were left out, repeated or exchanged", n, c.received)
	}
	c.received++
	return nil
}

// unrotate undoes a rotation to the right by n bytes.
func unrotate(data []byte, n int) []byte {
	if len(data) == 0 || n%len(data) == 0 {
		return data
	}
	n %= len(data)
	return slices.Concat(data[n:], data[:n])
}
