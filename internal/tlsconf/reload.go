package tlsconf

import (
	"crypto/tls"
	"log/slog"
	"sync"
	"time"

	"github.com/flume-go/flume/internal/vfs"
)

// server is a configuration that follows its files. Safe for concurrent use.
type server struct {
	cfg      Config // with the global values
	versions versions
	fs       vfs.FS
	log      *slog.Logger

	mu      sync.Mutex
	seen    [3]stamp // of the files, when current was made or tried last
	current *tls.Config
}

// stamp tells one state of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// forClient is tls.Config.GetConfigForClient. Looking at three files is nothing
// beside a handshake.
func (s *server) forClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stamps() == s.seen {
		return s.current, nil
	}
	if err := s.read(); err != nil {
		// seen has moved on: the next try, and the next line, come with the
		// next change.
		s.log.Warn("a changed key or trust store cannot be read; what it held before stays in use", "error", err)
		return s.current, nil
	}
	s.log.Info("key store read again", "keystore", s.cfg.Keystore)
	return s.current, nil
}

func (s *server) load() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read()
}

// read makes current. Called with mu held.
func (s *server) read() error {
	// Before the files are read: a change in between is then seen next time.
	s.seen = s.stamps()
	c, err := s.cfg.build(s.fs, s.versions)
	if err != nil {
		return err
	}
	if at, ok := expired(c.Certificates, time.Now()); ok {
		s.log.Warn("the certificate has expired; clients will refuse it", "keystore", s.cfg.Keystore, "expired", at)
	}
	s.current = c
	return nil
}

func (s *server) stamps() (out [3]stamp) {
	for i, name := range [...]string{s.cfg.Keystore, s.cfg.KeystoreKey, s.cfg.Truststore} {
		if name == "" {
			continue
		}
		if info, err := s.fs.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}
