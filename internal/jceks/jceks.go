// Package jceks reads Java's key stores of the type JCEKS, as far as they hold secret keys: those that
// "keytool -genseckey -storetype jceks" makes. Apache Flume keeps the keys of its file channels in them.
//
// A store is a list of entries and a digest that depends on the password of the store. A secret key in it is encrypted
// under a password of its own, in the algorithm PBEWithMD5AndTripleDES, and wrapped twice in Java's serialization
// (serial.go has the little that is needed of that). Private keys and certificates are passed over.
//
// The format's cryptography is of its time: anybody who can read the file can try passwords at leisure. That it is
// read here does not recommend it.
package jceks

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's digest
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// Errors of this package. Those returned wrap them and say more.
var (
	// ErrPassword says that the password is not the one with which the store or the key was written; a damaged
	// file cannot be told from that.
	ErrPassword = errors.New("wrong password, or the file is damaged")
	// ErrFormat says that the data is not what a JCEKS store looks like.
	ErrFormat = errors.New("not a JCEKS key store")
	// ErrNoKey says that the store has no secret key of this alias.
	ErrNoKey = errors.New("no such secret key")
)

const (
	magic   = 0xCECECECE
	version = 2

	tagPrivateKey  = 1
	tagCertificate = 2
	tagSecretKey   = 3

	// whitener is a part of the digest, so that it is no plain hash of password and content.
	whitener = "Mighty Aphrodite"
)

// Store is the secret keys of a key store, still encrypted. Safe for concurrent use.
type Store struct{ sealed map[string]sealedKey }

// Key is a secret key.
type Key struct {
	Algorithm string // Java's name: "AES"
	Bytes     []byte
}

// Read reads a store and checks that it was written with this password. It keeps parts of data.
func Read(data []byte, password string) (*Store, error) {
	if err := verify(data, password); err != nil {
		return nil, err
	}
	s, err := parse(data[:len(data)-sha1.Size])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return s, nil
}

// parse reads the entries of a store, without the digest at its end.
func parse(data []byte) (*Store, error) {
	r := &reader{data: data}
	r.skip(8) // magic and version, which verify has seen
	s := &Store{sealed: make(map[string]sealedKey)}
	for range r.u32() {
		if err := s.readEntry(r); err != nil {
			return nil, err
		}
	}
	if len(r.data) > 0 {
		r.fail("%d bytes follow the last entry", len(r.data))
	}
	return s, r.err
}

// verify checks what kind of file this is, then the digest at the end.
func verify(data []byte, password string) error {
	if len(data) < 12+sha1.Size {
		return fmt.Errorf("%w: it has only %d bytes", ErrFormat, len(data))
	}
	if m := binary.BigEndian.Uint32(data); m != magic {
		return fmt.Errorf("%w: it begins with %08x; make one with keytool -storetype jceks, or convert it with keytool -importkeystore", ErrFormat, m)
	}
	if v := binary.BigEndian.Uint32(data[4:]); v != version {
		return fmt.Errorf("%w of version %d but of version %d", ErrFormat, version, v)
	}
	h := sha1.New() //nolint:gosec // the format's digest
	for _, u := range utf16.Encode([]rune(password)) {
		h.Write([]byte{byte(u >> 8), byte(u)})
	}
	h.Write([]byte(whitener))
	end := len(data) - sha1.Size
	h.Write(data[:end])
	if subtle.ConstantTimeCompare(h.Sum(nil), data[end:]) == 0 {
		return fmt.Errorf("checking the key store: %w", ErrPassword)
	}
	return nil
}

func (s *Store) readEntry(r *reader) error {
	tag := r.u32()
	alias := r.utf()
	r.skip(8) // when it was made
	switch tag {
	case tagPrivateKey:
		r.skip(int64(r.u32()))
		for range r.u32() {
			if r.certificate(); r.err != nil {
				break
			}
		}
	case tagCertificate:
		r.certificate()
	case tagSecretKey:
		sealed, err := readSealed(r)
		if err != nil {
			return fmt.Errorf("reading the secret key %q: %w", alias, err)
		}
		s.sealed[strings.ToLower(alias)] = sealed
	default:
		r.fail("entry %q is of the unknown kind %d", alias, tag)
	}
	return r.err
}

// certificate passes over a certificate.
func (r *reader) certificate() {
	r.utf()
	r.skip(int64(r.u32()))
}

// Aliases returns the names of the secret keys, sorted. They are in lower case, as Java keeps them.
func (s *Store) Aliases() []string { return slices.Sorted(maps.Keys(s.sealed)) }

// Key returns the key of this alias, whose case does not count. The password is the key's own; keytool gives it that
// of the store unless told otherwise. The caller owns the key.
func (s *Store) Key(alias, password string) (Key, error) {
	sealed, ok := s.sealed[strings.ToLower(alias)]
	if !ok {
		return Key{}, fmt.Errorf("%w: %q is not among %q", ErrNoKey, alias, s.Aliases())
	}
	k, err := sealed.open(password)
	if err != nil {
		return Key{}, fmt.Errorf("decrypting the secret key %q: %w", alias, err)
	}
	return k, nil
}

// keyOf returns the key in the serialized object of a decrypted entry.
func keyOf(plain []byte) (Key, error) {
	r := &reader{data: plain}
	o, err := readObject(r)
	if err != nil {
		return Key{}, err
	}
	k := Key{}
	k.Algorithm, _ = o.values["algorithm"].(string)
	switch o.class.name {
	case "javax.crypto.spec.SecretKeySpec":
		k.Bytes, _ = o.values["key"].([]byte)
	case "java.security.KeyRep":
		k.Bytes, _ = o.values["encoded"].([]byte)
	default:
		return Key{}, fmt.Errorf("a key of the class %s cannot be used; give one made with keytool -genseckey -keyalg AES", o.class.name)
	}
	if len(k.Bytes) == 0 || k.Algorithm == "" {
		return Key{}, fmt.Errorf("the %s has no key", o.class.name)
	}
	k.Bytes = bytes.Clone(k.Bytes)
	return k, nil
}
