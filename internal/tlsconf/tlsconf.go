// Package tlsconf is the TLS settings that components share: where the key store
// is, what clients are asked for, whom they trust, which protocols and cipher
// suites are allowed. They are named and mean what they do in Apache Flume.
//
// A component that listens embeds Config in its own configuration and asks Server
// for a *tls.Config when it begins to listen. One that connects embeds ClientConfig
// and asks Client before it connects (client.go). Key stores are JKS, PKCS#12 or PEM
// files (store.go); they are read again when they have changed (reload.go).
// Values that a component does not set come from the environment (global.go).
package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/vfs"
)

// Config is the TLS properties of a component that listens.
type Config struct {
	SSL              bool   `flume:"ssl" default:"false" doc:"Whether clients must speak TLS."`
	Keystore         string `flume:"keystore" doc:"File with the private key and the certificate chain of this end. Without, that of FLUME_SSL_KEYSTORE_PATH. A file that changes is read again."`
	KeystorePassword string `flume:"keystore-password" secret:"true" doc:"Password of the key store and of the key in it. Without, that of FLUME_SSL_KEYSTORE_PASSWORD."`
	KeystoreType     string `flume:"keystore-type" enum:"JKS,PKCS12,PEM" doc:"Form of the key store; a PKCS12 file may also be called JKS, and the other way round. PEM needs no password. Without, that of FLUME_SSL_KEYSTORE_TYPE, else JKS."`
	KeystoreKey      string `flume:"keystore-key" doc:"File with the private key, for a PEM key store that has only certificates."`

	ClientAuth         string `flume:"client-auth" default:"none" enum:"none,want,require" doc:"Whether clients are asked for a certificate: none, want (one that is shown must be good) or require."`
	Truststore         string `flume:"truststore" doc:"File with the certificates of those who sign the clients' certificates. Without, that of FLUME_SSL_TRUSTSTORE_PATH."`
	TruststorePassword string `flume:"truststore-password" secret:"true" doc:"Password of the trust store. Without, that of FLUME_SSL_TRUSTSTORE_PASSWORD."`
	TruststoreType     string `flume:"truststore-type" enum:"JKS,PKCS12,PEM" doc:"Form of the trust store. Without, that of FLUME_SSL_TRUSTSTORE_TYPE, else JKS."`

	Suites
}

// Values of client-auth.
const (
	authWant    = "want"
	authRequire = "require"
)

// Check implements component.Checker. A configuration with a Check of its own
// that embeds Config calls this one.
func (c Config) Check(r *component.Report) {
	if !c.SSL {
		for _, key := range []string{"keystore", "truststore", "client-auth"} {
			if r.Given(key) {
				r.Warn(key, "has no effect without ssl = true", "set ssl = true, or remove it")
			}
		}
		return
	}
	g := c.withGlobals()
	if g.Keystore == "" {
		r.Error("keystore", "ssl needs a key store", "name its file, or set FLUME_SSL_KEYSTORE_PATH")
	}
	if g.Keystore != "" && g.KeystorePassword == "" && g.KeystoreType != typePEM {
		r.Error("keystore-password", "the key store needs its password", "give it, or set FLUME_SSL_KEYSTORE_PASSWORD")
	}
	if c.KeystoreKey != "" && g.KeystoreType != typePEM {
		r.Error("keystore-key", "goes with a key store of type PEM only", "set keystore-type = PEM, or remove it")
	}
	if g.asksClients() {
		if g.Truststore == "" {
			r.Error("truststore", "client-auth needs a trust store", "name its file, or set FLUME_SSL_TRUSTSTORE_PATH")
		} else if g.TruststorePassword == "" && g.TruststoreType != typePEM {
			r.Error("truststore-password", "the trust store needs its password", "give it, or set FLUME_SSL_TRUSTSTORE_PASSWORD")
		}
	}
	c.Suites.check(r)
}

func (c Config) asksClients() bool { return c.ClientAuth == authWant || c.ClientAuth == authRequire }

// Server reads the stores and returns what tls.Server needs. New connections get
// what the stores hold at their time; a store that has become unreadable is
// logged once and what it held before stays in use. The result is safe for
// concurrent use. Called only if SSL is set.
func (c Config) Server(fs vfs.FS, log *slog.Logger) (*tls.Config, error) {
	g := c.withGlobals()
	if g.Keystore == "" {
		return nil, errors.New("ssl needs a key store: set the property keystore, or FLUME_SSL_KEYSTORE_PATH in the environment")
	}
	versions, err := g.Suites.resolve()
	if err != nil {
		return nil, err
	}
	s := &server{cfg: g, versions: versions, fs: fs, log: log}
	if err := s.load(); err != nil {
		return nil, err
	}
	return &tls.Config{GetConfigForClient: s.forClient, MinVersion: versions.lowest}, nil
}

// build makes the configuration from what the stores hold now.
func (c Config) build(fs vfs.FS, v versions) (*tls.Config, error) {
	certs, err := readKeys(fs, c.Keystore, c.KeystoreKey, c.KeystorePassword)
	if err != nil {
		return nil, fmt.Errorf("reading key store %s (property keystore): %w", c.Keystore, err)
	}
	out := &tls.Config{
		Certificates: certs,
		MinVersion:   v.lowest, MaxVersion: v.highest, CipherSuites: v.suites,
	}
	if !c.asksClients() {
		return out, nil
	}
	if out.ClientCAs, err = readTrust(fs, c.Truststore, c.TruststorePassword); err != nil {
		return nil, fmt.Errorf("reading trust store %s (property truststore): %w", c.Truststore, err)
	}
	out.ClientAuth = tls.VerifyClientCertIfGiven
	if strings.EqualFold(c.ClientAuth, authRequire) {
		out.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return out, nil
}
