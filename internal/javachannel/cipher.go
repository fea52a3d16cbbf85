package javachannel

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"
)

// decrypter decrypts the records of one log. Flume encrypts each record by itself, from the same start of
// the key stream, so that any one can be read without the others.
type decrypter struct {
	block cipher.Block
	iv    []byte
	head  [frameSize + headSize]byte // the key stream's beginning, for looking at heads
	buf   []byte
}

// cipherNames are what Flume's configuration calls the only cipher it has.
var cipherNames = []string{"AESCTRNOPADDING", "org.apache.flume.channel.file.encryption.AESCTRNoPaddingProvider"}

// newDecrypter prepares for the log of a .meta file.
func newDecrypter(m *encryptionMeta, keyOf func(alias string) ([]byte, error)) (*decrypter, error) {
	known := false
	for _, name := range cipherNames {
		known = known || strings.EqualFold(name, m.provider) || strings.EqualFold(name+"$DecryptorBuilder", m.provider)
	}
	if !known {
		return nil, fmt.Errorf("encrypted with cipher provider %q, which only Java can run; drain the channel with Flume", m.provider)
	}
	if keyOf == nil {
		return nil, fmt.Errorf("encrypted with key %q and no key provider is configured", m.alias)
	}
	key, err := keyOf(m.alias)
	if err != nil {
		return nil, fmt.Errorf("encrypted with key %q: %w", m.alias, err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("encrypted with key %q, which is no key for AES: %w", m.alias, err)
	}
	if len(m.iv) != aes.BlockSize {
		return nil, fmt.Errorf("encrypted, but the .meta file has an initialisation vector of %d bytes instead of %d", len(m.iv), aes.BlockSize)
	}
	d := &decrypter{block: block, iv: m.iv}
	cipher.NewCTR(block, d.iv).XORKeyStream(d.head[:], d.head[:])
	return d, nil
}

// decrypt returns the payload in clear, in memory that the next call reuses.
func (d *decrypter) decrypt(payload []byte) []byte {
	if cap(d.buf) < len(payload) || cap(d.buf) > 4*maxWindow {
		d.buf = make([]byte, len(payload))
	}
	d.buf = d.buf[:len(payload)]
	cipher.NewCTR(d.block, d.iv).XORKeyStream(d.buf, payload)
	return d.buf
}

// errWrongKey says that nothing in a log could be decrypted.
var errWrongKey = errors.New("no record can be decrypted: is this the key of that alias?")
