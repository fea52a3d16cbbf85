package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/pavlo-v-chernykh/keystore-go/v4"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/flume-go/flume/internal/vfs"
)

const typePEM = "PEM"

// maxStore bounds what is read: a file that was named by mistake is not taken
// into memory.
const maxStore = 16 << 20

// form is the form of a store.
type form int

const (
	formUnknown form = iota
	formJKS
	formPKCS12
	formPEM
	formJCEKS
)

const (
	magicJKS   = 0xFEEDFEED
	magicJCEKS = 0xCECECECE
)

// formOf tells the form by the content, as a JVM does for JKS and PKCS12: many
// files that are configured as one are the other.
func formOf(data []byte) form {
	if len(data) >= 4 {
		switch binary.BigEndian.Uint32(data) {
		case magicJKS:
			return formJKS
		case magicJCEKS:
			return formJCEKS
		}
	}
	switch {
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return formPEM
	case len(data) > 0 && data[0] == 0x30: // a sequence in DER
		return formPKCS12
	default:
		return formUnknown
	}
}

func (f form) refused() error {
	if f == formJCEKS {
		return errors.New("a JCEKS store cannot be used for TLS; convert it: keytool -importkeystore -deststoretype PKCS12")
	}
	return errors.New("this is neither a JKS nor a PKCS12 nor a PEM file")
}

// readKeys reads the keys of this end, each with its certificate chain. keyFile
// is "" unless a PEM key is in a file of its own.
func readKeys(fs vfs.FS, file, keyFile, password string) ([]tls.Certificate, error) {
	data, err := read(fs, file)
	if err != nil {
		return nil, err
	}
	switch f := formOf(data); f {
	case formPEM:
		return pemKey(fs, data, keyFile)
	case formJKS:
		return jksKeys(data, password)
	case formPKCS12:
		return pkcs12Key(data, password)
	default:
		return nil, f.refused()
	}
}

// readTrust reads the certificates of those who are trusted to sign.
func readTrust(fs vfs.FS, file, password string) (*x509.CertPool, error) {
	data, err := read(fs, file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	n := 0
	switch f := formOf(data); f {
	case formPEM:
		if pool.AppendCertsFromPEM(data) {
			n++
		}
	case formJKS:
		n, err = jksTrust(pool, data, password)
	case formPKCS12:
		var certs []*x509.Certificate
		if certs, err = pkcs12.DecodeTrustStore(data, password); err != nil {
			certs, err = pkcs12Owner(data, password, err)
		}
		for _, c := range certs {
			pool.AddCert(c)
			n++
		}
	default:
		err = f.refused()
	}
	if err == nil && n == 0 {
		err = errors.New("it has no trusted certificate")
	}
	return pool, err
}

func read(fs vfs.FS, name string) ([]byte, error) {
	f, err := fs.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStore+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxStore {
		return nil, fmt.Errorf("the file is larger than %d bytes, which no store is", maxStore)
	}
	return data, nil
}

func pemKey(fs vfs.FS, data []byte, keyFile string) ([]tls.Certificate, error) {
	key := data
	if keyFile != "" {
		var err error
		if key, err = read(fs, keyFile); err != nil {
			return nil, fmt.Errorf("the private key (property keystore-key): %w", err)
		}
	}
	if bytes.Contains(key, []byte("ENCRYPTED")) {
		return nil, errors.New("the private key is encrypted; decrypt it (openssl pkey), or use a PKCS12 file")
	}
	cert, err := tls.X509KeyPair(data, key)
	if err != nil {
		return nil, err
	}
	return []tls.Certificate{cert}, nil
}

func jksKeys(data []byte, password string) ([]tls.Certificate, error) {
	ks, err := loadJKS(data, password)
	if err != nil {
		return nil, err
	}
	aliases := ks.Aliases()
	slices.Sort(aliases) // their order in the file is none
	var certs []tls.Certificate
	for _, alias := range aliases {
		if !ks.IsPrivateKeyEntry(alias) {
			continue
		}
		entry, err := ks.GetPrivateKeyEntry(alias, []byte(password))
		if err != nil {
			return nil, fmt.Errorf("the key %q (its password must be that of the store): %w", alias, err)
		}
		key, err := x509.ParsePKCS8PrivateKey(entry.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("the key %q: %w", alias, err)
		}
		chain := make([][]byte, len(entry.CertificateChain))
		for i, c := range entry.CertificateChain {
			chain[i] = c.Content
		}
		cert, err := certificate(key, chain)
		if err != nil {
			return nil, fmt.Errorf("the certificate of the key %q: %w", alias, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("it has no private key")
	}
	return certs, nil
}

// loadJKS reads a JKS file. The library counts on lengths in the file: a broken
// one must not bring the agent down.
func loadJKS(data []byte, password string) (ks keystore.KeyStore, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the file is damaged: %v", p)
		}
	}()
	ks = keystore.New()
	return ks, ks.Load(bytes.NewReader(data), []byte(password))
}

// pkcs12Owner returns the certificate of the key in a store that has one: Java trusts its owner. why is the error if it has none.
func pkcs12Owner(data []byte, password string, why error) ([]*x509.Certificate, error) {
	if _, owner, _, err := pkcs12.DecodeChain(data, password); err == nil {
		return []*x509.Certificate{owner}, nil
	}
	return nil, why
}

func jksTrust(pool *x509.CertPool, data []byte, password string) (n int, err error) {
	ks, err := loadJKS(data, password)
	if err != nil {
		return 0, err
	}
	for _, alias := range ks.Aliases() {
		var trusted keystore.Certificate
		if ks.IsTrustedCertificateEntry(alias) {
			entry, err := ks.GetTrustedCertificateEntry(alias)
			if err != nil {
				return 0, err
			}
			trusted = entry.Certificate
		} else {
			// Java trusts the owner of a key that is in the store.
			chain, err := ks.GetPrivateKeyEntryCertificateChain(alias)
			if err != nil || len(chain) == 0 {
				continue
			}
			trusted = chain[0]
		}
		cert, err := x509.ParseCertificate(trusted.Content)
		if err != nil {
			return 0, fmt.Errorf("the certificate %q: %w", alias, err)
		}
		pool.AddCert(cert)
		n++
	}
	return n, nil
}

func pkcs12Key(data []byte, password string) ([]tls.Certificate, error) {
	key, cert, more, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, err
	}
	chain := [][]byte{cert.Raw}
	for _, c := range more {
		chain = append(chain, c.Raw)
	}
	out, err := certificate(key, chain)
	return []tls.Certificate{out}, err
}

// certificate puts a key and its chain, the key's own certificate first, together.
func certificate(key any, chain [][]byte) (tls.Certificate, error) {
	if len(chain) == 0 {
		return tls.Certificate{}, errors.New("there is none")
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return tls.Certificate{}, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return tls.Certificate{}, fmt.Errorf("a key of type %T cannot be used for TLS", key)
	}
	if public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(leaf.PublicKey) {
		return tls.Certificate{}, errors.New("it belongs to another key")
	}
	return tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}

// expired returns the end of the first certificate that is no longer valid.
func expired(certs []tls.Certificate, now time.Time) (time.Time, bool) {
	for _, c := range certs {
		if c.Leaf != nil && now.After(c.Leaf.NotAfter) {
			return c.Leaf.NotAfter, true
		}
	}
	return time.Time{}, false
}
