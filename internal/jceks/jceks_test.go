package jceks

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's digest
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const storePassword = "store-password"

func load(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKeysAreWhatJavaReads(t *testing.T) {
	for _, c := range []struct {
		file, alias, password, algorithm, key string
	}{
		{"aes.jceks", "Key-0", "key-password", "AES", "4eb1f7114f938c99c2cbf98a8d21977c"},
		{"aes.jceks", "key-0", "key-password", "AES", "4eb1f7114f938c99c2cbf98a8d21977c"},
		{"aes.jceks", "key-1", storePassword, "AES", "39b07f07320c9678fb0bee8113a5586d6e22ec90b18cfc59867c253e9b8df384"},
		{"desede.jceks", "triple", storePassword, "DESede", "3ef238b680a732dc769154860898f8aea7205d04193b04c8"},
		{"mixed.jceks", "secret", storePassword, "AES", "444acfcf4015071ca0604fb4db45d9e528bcf36f90ce5722"},
	} {
		s, err := Read(load(t, c.file), storePassword)
		if err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		k, err := s.Key(c.alias, c.password)
		if err != nil {
			t.Errorf("%s, %s: %v", c.file, c.alias, err)
			continue
		}
		if got := hex.EncodeToString(k.Bytes); got != c.key || k.Algorithm != c.algorithm {
			t.Errorf("%s, %s: %s key %s, want %s key %s", c.file, c.alias, k.Algorithm, got, c.algorithm, c.key)
		}
	}
}

func TestAliases(t *testing.T) {
	for file, want := range map[string][]string{"aes.jceks": {"key-0", "key-1"}, "mixed.jceks": {"secret"}} {
		s, err := Read(load(t, file), storePassword)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Aliases(); !slices.Equal(got, want) {
			t.Errorf("%s has keys %q, want %q", file, got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := load(t, "aes.jceks")
	damaged := bytes.Clone(good)
	damaged[len(damaged)/2] ^= 1
	other := bytes.Clone(good)
	copy(other, "\xfe\xed\xfe\xed")
	future := bytes.Clone(good)
	future[7] = 3
	for name, c := range map[string]struct {
		data     []byte
		password string
		want     error
		text     string
	}{
		"wrong password": {good, "guess", ErrPassword, "wrong password"},
		"damaged":        {damaged, storePassword, ErrPassword, "damaged"},
		"empty":          {nil, storePassword, ErrFormat, "0 bytes"},
		"cut":            {good[:len(good)-1], storePassword, ErrPassword, "damaged"},
		"another kind":   {other, storePassword, ErrFormat, "keytool"},
		"another form":   {future, storePassword, ErrFormat, "version 3"},
	} {
		if _, err := Read(c.data, c.password); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// resign gives changed entries the digest that they should have.
func resign(entries []byte) []byte {
	h := sha1.New() //nolint:gosec // the format's digest
	for _, c := range []byte(storePassword) {
		h.Write([]byte{0, c})
	}
	h.Write([]byte("Mighty Aphrodite"))
	h.Write(entries)
	return h.Sum(bytes.Clone(entries))
}

func TestSignedNonsenseIsRefused(t *testing.T) {
	good := load(t, "aes.jceks")
	entries := good[:len(good)-sha1.Size]
	if _, err := Read(resign(entries), storePassword); err != nil {
		t.Fatalf("what was not changed: %v", err)
	}
	change := func(from, to string) []byte {
		if !bytes.Contains(entries, []byte(from)) {
			t.Fatalf("the file has no %q", from)
		}
		return bytes.Replace(entries, []byte(from), []byte(to), 1)
	}
	iterations := binary.BigEndian.AppendUint32(nil, 0x0203030d)
	for name, data := range map[string][]byte{
		"cut":            entries[:len(entries)-10],
		"longer":         append(bytes.Clone(entries), 0),
		"another class":  change("SealedObjectForKeyProtector", "SealedObjectForKeyProtectoR"),
		"another cipher": change("DESt\x00\x16PBEWithMD5AndTripleDES", "DESt\x00\x16PBEWithMD5AndTripleDEZ"),
		"too much work":  change(string(iterations), "\x02\x03\x7f\x0d"),
		"no stream":      change("\xac\xed\x00\x05", "\xac\xed\x00\x06"),
		"unknown entry":  change("\x00\x00\x00\x03\x00\x05key", "\x00\x00\x00\x09\x00\x05key"),
	} {
		if _, err := Read(resign(data), storePassword); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyRefuses(t *testing.T) {
	s, err := Read(load(t, "aes.jceks"), storePassword)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		alias, password string
		want            error
		text            string
	}{
		{"key-9", storePassword, ErrNoKey, `["key-0" "key-1"]`},
		{"key-0", storePassword, ErrPassword, "key-0"},
		{"key-1", "pässword", nil, "ASCII"},
	} {
		_, err := s.Key(c.alias, c.password)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.alias, err)
		}
	}
}

// A salt of equal halves is changed before use. The bytes are what Java's own PBEWithMD5AndTripleDES made of the text.
func TestEqualHalvesOfTheSalt(t *testing.T) {
	content, err := hex.DecodeString("9a8ce53be221c2a741e4cdb85a5a7ef88bab6ba64d709d8f")
	if err != nil {
		t.Fatal(err)
	}
	k := sealedKey{salt: [8]byte{1, 2, 3, 4, 1, 2, 3, 4}, iterations: 3, content: content}
	plain, err := k.decrypt("key-password")
	if err != nil || string(plain) != "a serialized key" {
		t.Errorf("decrypted %q, error %v", plain, err)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"aes.jceks", "desede.jceks", "mixed.jceks"} {
		data := load(f, name)
		f.Add(data[:len(data)-sha1.Size])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parse(data)
		if err != nil {
			return
		}
		for _, a := range s.Aliases() {
			if k := s.sealed[a]; len(k.content) == 0 || k.iterations < 1 || k.iterations > maxIterations {
				t.Errorf("key %q: %d bytes, %d iterations", a, len(k.content), k.iterations)
			}
		}
	})
}

func FuzzKeyOf(f *testing.F) {
	for _, seed := range []struct{ file, alias, password string }{
		{"aes.jceks", "key-1", storePassword}, {"desede.jceks", "triple", storePassword},
	} {
		s, err := Read(load(f, seed.file), storePassword)
		if err != nil {
			f.Fatal(err)
		}
		plain, err := s.sealed[seed.alias].decrypt(seed.password)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		if k, err := keyOf(plain); err == nil && len(k.Bytes) == 0 {
			t.Error("a key without bytes")
		}
	})
}
