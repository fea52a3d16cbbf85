package gss

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/go-krb5/krb5/crypto"
	"github.com/go-krb5/krb5/crypto/etype"
	"github.com/go-krb5/krb5/iana/etypeID"
	"github.com/go-krb5/krb5/types"
)

// ErrDefective is at the bottom of errors about bytes that are no token, or whose
// protection does not hold.
var ErrDefective = errors.New("defective token")

func defective(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDefective}, args...)...)
}

// guarded turns a panic into an error. It stands where the library takes apart what
// strangers send before they have shown who they are, or a file: the lengths that it
// does not check are checked in front of it, as far as they are known.
func guarded(err *error) {
	if r := recover(); r != nil {
		*err = defective("%v", r)
	}
}

// cipherOf returns the encryption type of key, if this package speaks it and the
// key fits.
func cipherOf(key types.EncryptionKey) (etype.EType, error) {
	for _, t := range strong {
		if key.KeyType != t {
			continue
		}
		e, err := crypto.GetEtype(t)
		if err != nil {
			return nil, err
		}
		if len(key.KeyValue) != keySize(t) {
			return nil, defective("a key of type %s has %d bytes", typeName(t), len(key.KeyValue))
		}
		return e, nil
	}
	return nil, fmt.Errorf("keys of type %s are not supported, only AES; give client and server AES keys, and allow AES in krb5.conf", typeName(key.KeyType))
}

// keySize returns the bytes of a key of one of the types in strong. The library takes
// those of aes256-sha2 for 24.
func keySize(typ int32) int {
	if typ == etypeID.AES128_CTS_HMAC_SHA1_96 || typ == etypeID.AES128_CTS_HMAC_SHA256_128 {
		return 16
	}
	return 32
}

// newKey makes a key of one of the types in strong.
func newKey(typ int32) types.EncryptionKey {
	key := types.EncryptionKey{KeyType: typ, KeyValue: make([]byte, keySize(typ))}
	rand.Read(key.KeyValue) //nolint:errcheck // never fails, see there
	return key
}

// decrypt decrypts what was encrypted with key for this usage.
func decrypt(key types.EncryptionKey, usage uint32, data []byte) (out []byte, err error) {
	defer guarded(&err)
	e, err := cipherOf(key)
	if err != nil {
		return nil, err
	}
	if len(data) < e.GetConfounderByteSize()+e.GetHMACBitLength()/8 {
		return nil, defective("%d bytes are too few to be encrypted ones", len(data))
	}
	if out, err = e.DecryptMessage(key.KeyValue, data, usage); err != nil {
		return nil, defective("it is not encrypted with the right key, or damaged")
	}
	return out, nil
}
