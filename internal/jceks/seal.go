package jceks

import (
	"crypto/cipher"
	"crypto/des" //nolint:gosec // the format's cipher
	"crypto/md5" //nolint:gosec // the format's digest
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
)

const (
	sealedClass = "com.sun.crypto.provider.SealedObjectForKeyProtector"
	sealing     = "PBEWithMD5AndTripleDES"
	// maxIterations is the most that Java accepts: a made-up file must not keep a processor busy for hours.
	maxIterations = 5_000_000
)

// sealedKey is an encrypted secret key.
type sealedKey struct {
	salt       [8]byte
	iterations int
	content    []byte
}

// pbeParameters is what encodedParams of a sealed object holds, in DER.
type pbeParameters struct {
	Salt       []byte
	Iterations int64
}

func readSealed(r *reader) (sealedKey, error) {
	o, err := readObject(r)
	if err != nil {
		return sealedKey{}, err
	}
	if o.class.name != sealedClass {
		return sealedKey{}, fmt.Errorf("it is in an object of the class %s", o.class.name)
	}
	if alg, _ := o.values["sealAlg"].(string); alg != sealing {
		return sealedKey{}, fmt.Errorf("it is encrypted with %q and not with %s", alg, sealing)
	}
	encoded, _ := o.values["encodedParams"].([]byte)
	var p pbeParameters
	rest, err := asn1.Unmarshal(encoded, &p)
	if err != nil || len(rest) > 0 || len(p.Salt) != 8 || p.Iterations < 1 || p.Iterations > maxIterations {
		return sealedKey{}, errors.New("the parameters of its encryption are not what they should be")
	}
	k := sealedKey{salt: [8]byte(p.Salt), iterations: int(p.Iterations)}
	k.content, _ = o.values["encryptedContent"].([]byte)
	if len(k.content) == 0 || len(k.content)%des.BlockSize != 0 {
		return sealedKey{}, fmt.Errorf("%d encrypted bytes are not whole blocks", len(k.content))
	}
	return k, nil
}

// open decrypts the key.
func (k sealedKey) open(password string) (Key, error) {
	plain, err := k.decrypt(password)
	if err != nil {
		return Key{}, err
	}
	key, err := keyOf(plain)
	if errors.Is(err, errSerial) { // one wrong password in 256 passes for right until here
		return Key{}, fmt.Errorf("%w: %w", ErrPassword, err)
	}
	return key, err
}

// decrypt returns the serialized key.
func (k sealedKey) decrypt(password string) ([]byte, error) {
	for i := range len(password) {
		if password[i] < ' ' || password[i] > '~' {
			return nil, errors.New("the password has characters that are not printable ASCII; Java does not take such a password either")
		}
	}
	secret := k.derive(password)
	block, err := des.NewTripleDESCipher(secret[:24]) //nolint:gosec // the format's cipher
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(k.content))
	cipher.NewCBCDecrypter(block, secret[24:]).CryptBlocks(plain, k.content)
	plain, ok := unpad(plain)
	if !ok {
		return nil, ErrPassword
	}
	return plain, nil
}

// derive returns 24 bytes of key and 8 of initial vector.
func (k sealedKey) derive(password string) []byte {
	salt := k.salt
	if [4]byte(salt[:4]) == [4]byte(salt[4:]) {
		slices.Reverse(salt[:4]) // else both halves of the result would be equal, too
	}
	var secret []byte
	for _, half := range [][]byte{salt[:4], salt[4:]} {
		h := half
		for range k.iterations {
			sum := md5.Sum(append(h[:len(h):len(h)], password...)) //nolint:gosec // the format's digest
			h = sum[:]
		}
		secret = append(secret, h...)
	}
	return secret
}

// unpad removes the padding of PKCS #5; false if it is none.
func unpad(p []byte) ([]byte, bool) {
	n := int(p[len(p)-1])
	if n < 1 || n > des.BlockSize || n > len(p) {
		return nil, false
	}
	for _, b := range p[len(p)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return p[:len(p)-n], true
}
