package tlsconf

import (
	"crypto/sha1" //nolint:gosec // what the format of Java's key stores prescribes
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/vfs"
)

// ClientConfig is the TLS properties of a component that connects to others.
type ClientConfig struct {
	SSL                bool   `flume:"ssl" default:"false" doc:"Whether to speak TLS."`
	TrustAll           bool   `flume:"trust-all-certs" default:"false" doc:"Whether to accept any certificate of the server. Whoever is in between can then read and change what is sent."`
	Truststore         string `flume:"truststore" doc:"File with the certificates of those who sign the server's. Without, that of FLUME_SSL_TRUSTSTORE_PATH, else the system's. Read again for each connection."`
	TruststorePassword string `flume:"truststore-password" secret:"true" doc:"Password of the trust store. Without, that of FLUME_SSL_TRUSTSTORE_PASSWORD. A JKS or PEM file can be read without."`
	TruststoreType     string `flume:"truststore-type" enum:"JKS,PKCS12,PEM" doc:"Form of the trust store; the content decides. Without, that of FLUME_SSL_TRUSTSTORE_TYPE, else JKS."`
	VerifyHostname     bool   `flume:"verify-hostname" default:"false" doc:"Whether the certificate must be for the name or address that is connected to. Flume does not look."`

	Keystore         string `flume:"keystore" doc:"File with the private key and certificate chain to show to servers that ask for one. Flume shows none."`
	KeystorePassword string `flume:"keystore-password" secret:"true" doc:"Password of the key store and of the key in it."`
	KeystoreType     string `flume:"keystore-type" enum:"JKS,PKCS12,PEM" doc:"Form of the key store; the content decides. Without, JKS."`
	KeystoreKey      string `flume:"keystore-key" doc:"File with the private key, for a PEM key store that has only certificates."`

	Suites
}

// Check implements component.Checker. A configuration with a Check of its own that
// embeds ClientConfig calls this one.
func (c ClientConfig) Check(r *component.Report) {
	if !c.SSL {
		for _, key := range []string{"truststore", "trust-all-certs", "keystore", "verify-hostname"} {
			if r.Given(key) {
				r.Warn(key, "has no effect without ssl = true", "set ssl = true, or remove it")
			}
		}
		return
	}
	if c.TrustAll {
		r.Advise("trust-all-certs", "is true: whoever is in between can read and change what is sent", "name the authority in truststore")
		for _, key := range []string{"truststore", "verify-hostname"} {
			if r.Given(key) {
				r.Warn(key, "has no effect with trust-all-certs = true", "remove one of the two")
			}
		}
	}
	for _, key := range []string{"keystore-password", "keystore-type", "keystore-key"} {
		if c.Keystore == "" && r.Given(key) {
			r.Warn(key, "has no effect without keystore", "name its file, or remove it")
		}
	}
	c.Suites.check(r)
}

// Client reads the stores and returns what tls.Client needs for a connection to
// host. Called for each connection, it follows changes of the files. Called only if
// SSL is set.
func (c ClientConfig) Client(host string, fs vfs.FS) (*tls.Config, error) {
	g := c.withGlobals()
	v, err := g.Suites.resolve()
	if err != nil {
		return nil, err
	}
	out := &tls.Config{
		ServerName: host, MinVersion: v.lowest, MaxVersion: v.highest, CipherSuites: v.suites,
		// The chain is checked below: the library's check cannot leave out the name.
		InsecureSkipVerify: !g.VerifyHostname || g.TrustAll, //nolint:gosec // see above
	}
	if c.Keystore != "" {
		if out.Certificates, err = readKeys(fs, c.Keystore, c.KeystoreKey, c.KeystorePassword); err != nil {
			return nil, fmt.Errorf("reading key store %s (property keystore): %w", c.Keystore, err)
		}
	}
	if g.TrustAll {
		return out, nil
	}
	if g.Truststore != "" {
		if out.RootCAs, err = readAnyTrust(fs, g.Truststore, g.TruststorePassword); err != nil {
			return nil, fmt.Errorf("reading trust store %s (property truststore): %w", g.Truststore, err)
		}
	}
	if !g.VerifyHostname {
		out.VerifyConnection = verifyChain(out.RootCAs)
	}
	return out, nil
}

// withGlobals fills what is not set from the environment. The key store is no part of
// that: those that are set for all are for servers, and Flume's clients show none.
func (c ClientConfig) withGlobals() ClientConfig {
	fill(&c.Truststore, envTruststore)
	fill(&c.TruststorePassword, envTruststorePassword)
	c.Suites = c.Suites.withGlobals()
	return c
}

// verifyChain returns a check of a server's certificates for all but its name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the server shows no certificate")
		}
		others := x509.NewCertPool()
		for _, cert := range state.PeerCertificates[1:] {
			others.AddCert(cert)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: others, CurrentTime: time.Now(),
		})
		return err
	}
}

// readAnyTrust is readTrust for stores whose password may not be known: certificates
// are no secrets, and Java reads them without.
func readAnyTrust(fs vfs.FS, file, password string) (*x509.CertPool, error) {
	if password != "" {
		return readTrust(fs, file, password)
	}
	data, err := read(fs, file)
	if err != nil {
		return nil, err
	}
	if formOf(data) != formJKS {
		return readTrust(fs, file, password)
	}
	pool := x509.NewCertPool()
	n, err := jksTrust(pool, withoutPassword(data), "")
	if err == nil && n == 0 {
		err = errors.New("it has no trusted certificate")
	}
	return pool, err
}

// withoutPassword returns a JKS file with the checksum that it has when its password
// is empty. Only the checksum of such a file and its private keys depend on it.
func withoutPassword(data []byte) []byte {
	if len(data) < sha1.Size {
		return data
	}
	content := data[: len(data)-sha1.Size : len(data)-sha1.Size]
	sum := sha1.New() //nolint:gosec // see above
	sum.Write([]byte("Mighty Aphrodite"))
	sum.Write(content)
	return sum.Sum(content)
}
