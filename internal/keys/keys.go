// Package keys gets the keys that events are encrypted with on disk from where Apache Flume keeps them: secret
// keys in a JCEKS key store, under passwords that are in files.
package keys

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/flume-go/flume/internal/jceks"
	"github.com/flume-go/flume/internal/vfs"
)

// Bounds of what is read: a file that was named by mistake is not taken into memory.
const (
	maxStore    = 16 << 20
	maxPassword = 64 << 10
)

// Options say where a key store is and with which passwords it is read.
type Options struct {
	FS           vfs.FS
	Store        string // file of the key store
	PasswordFile string // holds its password; white space around it does not count
	Aliases      []Alias
	Log          *slog.Logger // nil: nothing is logged
}

// Alias is a key and where its password is.
type Alias struct {
	Name string
	// PasswordFile holds the password of the key. Without one, and if the file is not there, the password is
	// that of the key store.
	PasswordFile string
}

// Store is a key store that was read. Safe for concurrent use.
type Store struct {
	path      string
	store     *jceks.Store
	password  string
	listed    map[string]bool   // aliases of the options, in lower case
	passwords map[string]string // of keys that have one of their own, by alias in lower case
}

// Open reads a key store and the passwords of its keys. No file stays open.
func Open(o Options) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{path: o.Store, listed: make(map[string]bool), passwords: make(map[string]string)}
	var err error
	if s.password, err = readPassword(o.FS, o.PasswordFile); err != nil {
		return nil, fmt.Errorf("reading the password of key store %s: %w", o.Store, err)
	}
	for _, a := range o.Aliases {
		s.listed[strings.ToLower(a.Name)] = true
		if a.PasswordFile == "" {
			continue
		}
		password, err := readPassword(o.FS, a.PasswordFile)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			o.Log.Warn("the password file of a key is not there, the password of the key store is tried", "key", a.Name, "file", a.PasswordFile)
		case err != nil:
			return nil, fmt.Errorf("reading the password of key %q: %w", a.Name, err)
		default:
			s.passwords[strings.ToLower(a.Name)] = password
		}
	}
	data, err := readFile(o.FS, o.Store, maxStore)
	if err != nil {
		return nil, fmt.Errorf("reading a key store: %w", err)
	}
	if s.store, err = jceks.Read(data, s.password); err != nil {
		return nil, fmt.Errorf("reading key store %s with the password in %s: %w", o.Store, o.PasswordFile, err)
	}
	return s, nil
}

// Key returns the AES key of an alias: 16, 24 or 32 bytes, which the caller owns. One that the options do not list is
// tried with the password of the key store.
func (s *Store) Key(alias string) ([]byte, error) {
	password, own := s.passwords[strings.ToLower(alias)]
	if !own {
		password = s.password
	}
	k, err := s.store.Key(alias, password)
	if err != nil && !s.listed[strings.ToLower(alias)] {
		// The password is the least likely cause: somebody removed the alias before its files were used up.
		return nil, fmt.Errorf("the key %[1]q is not among encryption.keyProvider.keys: add it there, and the file of its password as encryption.keyProvider.keys.%[1]s.passwordFile unless it is that of the key store "+
			"(a command without a configuration: --key %[1]s=FILE); key store %[2]s with its own password: %[3]w", alias, s.path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("key store %s: %w", s.path, err)
	}
	if n := len(k.Bytes); k.Algorithm != "AES" || n != 16 && n != 24 && n != 32 {
		return nil, fmt.Errorf("key store %s: the key %q is a %s key of %d bits; an AES key of 128, 192 or 256 bits is needed (keytool -genseckey -keyalg AES -keysize 128 -storetype jceks)",
			s.path, alias, k.Algorithm, 8*n)
	}
	return k.Bytes, nil
}

func readPassword(fsys vfs.FS, path string) (string, error) {
	data, err := readFile(fsys, path, maxPassword)
	return strings.TrimSpace(string(data)), err
}

// readFile returns the content of a file of at most limit bytes.
func readFile(fsys vfs.FS, path string, limit int64) (data []byte, err error) {
	f, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("file %s has more than %d bytes: it is not what it should be", path, limit)
	}
	return data, err
}
