package http

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// selfSigned is a key and a certificate for 127.0.0.1, both as PEM.
func selfSigned(t *testing.T) (text string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	return string(cert) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})), roots
}

func TestTLS(t *testing.T) {
	store, roots := selfSigned(t)
	for name, c := range map[string]struct {
		settings []string
		protocol string
	}{
		"HTTP/2":   {[]string{"ssl = true"}, "HTTP/2.0"},
		"HTTP/1.1": {[]string{"enableSSL = true", "http2 = false"}, "HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := prepare(t, append(c.settings, "keystore = /secret/store.pem", "keystore-type = PEM")...)
			write(t, s, "/secret/store.pem", store)
			s.start(t)
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
			client := &http.Client{Transport: transport, Timeout: limit}
			for range 2 {
				answer, err := client.Post("https://"+s.addr+"/", "application/json", bytes.NewReader(jsonArray(100, 512)))
				if err != nil {
					t.Fatal(err)
				}
				answer.Body.Close()
				if answer.StatusCode != 200 || answer.Proto != c.protocol {
					t.Errorf("the answer is %s %s, not %s", answer.Proto, answer.Status, c.protocol)
				}
			}
			if got := strings.Count(s.out.take(), "\n") + 1; got != 200 {
				t.Errorf("%d events are stored", got)
			}
			if got := s.raw(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n[]"); !strings.HasPrefix(got, "HTTP/1.0 400") {
				t.Errorf("HTTP without TLS is answered with %.60q", got)
			}
			transport.CloseIdleConnections()
			s.stop()
		})
	}
}

func TestMissingKeyStore(t *testing.T) {
	s := prepare(t, "ssl = true", "keystore = /none.pem", "keystore-type = PEM")
	if err := s.Run(t.Context(), s.out); err == nil || !strings.Contains(err.Error(), "/none.pem") {
		t.Errorf("Run returned %v", err)
	}
}
