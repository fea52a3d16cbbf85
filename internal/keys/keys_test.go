package keys

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/flume-go/flume/internal/jceks"
	"github.com/flume-go/flume/internal/vfs"
)

// files returns a file system with the key stores of package jceks.
func files(t *testing.T) vfs.FS {
	t.Helper()
	fsys := vfs.NewMem(1)
	write := func(name string, data []byte) {
		if err := vfs.ReplaceFile(fsys, name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"aes.jceks", "desede.jceks"} {
		data, err := os.ReadFile("../jceks/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		write("/"+name, data)
	}
	write("/store.password", []byte(" store-password\n"))
	write("/key-0.password", []byte("key-password\r\n"))
	write("/wrong.password", []byte("guess"))
	write("/large", make([]byte, maxPassword+1))
	return fsys
}

func TestKey(t *testing.T) {
	var log bytes.Buffer
	s, err := Open(Options{
		FS: files(t), Store: "/aes.jceks", PasswordFile: "/store.password",
		Aliases: []Alias{{"Key-0", "/key-0.password"}, {"key-1", "/missing.password"}},
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for alias, want := range map[string]string{
		"key-0": "4eb1f7114f938c99c2cbf98a8d21977c",
		"KEY-1": "39b07f07320c9678fb0bee8113a5586d6e22ec90b18cfc59867c253e9b8df384",
	} {
		if k, err := s.Key(alias); err != nil || hex.EncodeToString(k) != want {
			t.Errorf("%s: %x, error %v", alias, k, err)
		}
	}
	if !strings.Contains(log.String(), "missing.password") {
		t.Errorf("the missing password file is not told: %s", log.String())
	}
	if _, err := s.Key("other"); !errors.Is(err, jceks.ErrNoKey) || !strings.Contains(err.Error(), "/aes.jceks") {
		t.Errorf("a key that is not there: %v", err)
	}
}

// TestKeyThatIsNotListed: what keys have a password of their own for is told before the password is blamed.
func TestKeyThatIsNotListed(t *testing.T) {
	s, err := Open(Options{FS: files(t), Store: "/aes.jceks", PasswordFile: "/store.password", Aliases: []Alias{{Name: "other"}}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Key("key-0")
	if err == nil || !errors.Is(err, jceks.ErrPassword) || !strings.HasPrefix(err.Error(), `the key "key-0" is not among encryption.keyProvider.keys: add it there`) ||
		!strings.Contains(err.Error(), "encryption.keyProvider.keys.key-0.passwordFile") {
		t.Errorf("a key that is not listed: %v", err)
	}
	if _, err := s.Key("key-1"); err != nil {
		t.Errorf("one with the password of the store: %v", err)
	}
	if _, err := s.Key("other"); !errors.Is(err, jceks.ErrNoKey) || strings.Contains(err.Error(), "encryption.keyProvider") {
		t.Errorf("one that is listed and not there: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		store, password string
		want            error
		text            string
	}{
		"no store":       {"/none.jceks", "/store.password", fs.ErrNotExist, "/none.jceks"},
		"no password":    {"/aes.jceks", "/none", fs.ErrNotExist, "/none"},
		"wrong password": {"/aes.jceks", "/wrong.password", jceks.ErrPassword, "/wrong.password"},
		"no such form":   {"/key-0.password", "/store.password", jceks.ErrFormat, "/key-0.password"},
		"large password": {"/aes.jceks", "/large", nil, "more than"},
	} {
		_, err := Open(Options{FS: files(t), Store: c.store, PasswordFile: c.password})
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherKindsOfKeysAreRefused(t *testing.T) {
	s, err := Open(Options{FS: files(t), Store: "/desede.jceks", PasswordFile: "/store.password"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Key("triple"); err == nil || !strings.Contains(err.Error(), "keytool") {
		t.Errorf("error %v", err)
	}
}
