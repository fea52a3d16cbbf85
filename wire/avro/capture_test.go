package avro

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zlib"

	"github.com/flume-go/flume/event"
)

// capture reads what one end of a connection between Java's peers has said,
// decompressed if need be.
func capture(t testing.TB, name string) []byte {
	t.Helper()
	p, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(name, "deflate") {
		return p
	}
	z, err := zlib.NewReader(bytes.NewReader(p))
	if err != nil {
		t.Fatal(err)
	}
	p, err = io.ReadAll(z)
	// Nobody finishes the stream.
	if err != nil && err != io.ErrUnexpectedEOF { //nolint:errorlint // as the library documents it
		t.Fatal(err)
	}
	return p
}

// TestCaptures: a server does with what Java's clients have said just what Java's
// server did: the same payloads come back. See TestAvroCaptures among the e2e tests.
func TestCaptures(t *testing.T) {
	want := event.NewBatch()
	defer want.Release()
	for i, body := range []string{"one", "zwei €", "", strings.Repeat("long ", 4000), "single"} {
		want.SetHeader(want.AppendCopy([]byte(body)), "n", fmt.Sprint(i))
	}
	for _, name := range []string{"java-1.11-plain", "java-1.9-plain", "java-1.11-deflate", "java-1.9-deflate"} {
		t.Run(name, func(t *testing.T) {
			h := new(store)
			client, err := os.ReadFile(filepath.Join("testdata", name+".client.bin"))
			if err != nil {
				t.Fatal(err)
			}
			conn := &once{Reader: bytes.NewReader(client)}
			if err := NewServer(h, strings.HasSuffix(name, "deflate"), nil, Limits{}).Serve(t.Context(), t.Context(), conn); err != nil {
				t.Fatal(err)
			}
			equal(t, want, h.events())
			said, java := conn.out.Bytes(), capture(t, name+".server.bin")
			if strings.HasSuffix(name, "deflate") {
				said = inflate(t, said)
			}
			for len(java) > 0 {
				var n, m uint32
				var ours, theirs []byte
				n, ours, said = join(t, said)
				m, theirs, java = join(t, java)
				if n != m || !bytes.Equal(ours, theirs) {
					t.Errorf("answer %d is %x, Java's %d is %x", n, ours, m, theirs)
				}
			}
			if len(said) > 0 {
				t.Errorf("one more answer: %x", said)
			}
		})
	}
}

func inflate(t testing.TB, p []byte) []byte {
	t.Helper()
	in := &inflater{from: bytes.NewReader(p)}
	all, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCapturedAnswers reads what Java's servers have said.
func TestCapturedAnswers(t *testing.T) {
	for _, name := range []string{"java-1.11-plain", "java-1.9-plain", "java-1.11-deflate", "java-1.9-deflate"} {
		in := newInput(&once{Reader: bytes.NewReader(capture(t, name+".server.bin"))}, maxAnswer, 0, false, func() bool { return false })
		for serial := uint32(1); ; serial++ {
			err := in.next()
			if err == io.EOF && serial == 4 { //nolint:errorlint // never wrapped
				break
			}
			if err != nil || in.serial != serial {
				t.Fatalf("%s: answer %d has number %d: %v", name, serial, in.serial, err)
			}
			if serial == 1 {
				if a, err := in.agreement(); err != nil || a.match != matchBoth {
					t.Fatalf("%s: the handshake ends with %v, %v", name, a.match, err)
				}
			}
			if no, err := in.answer(); no != nil || err != nil {
				t.Errorf("%s: answer %d is %v, %v", name, serial, no, err)
			}
			if err := in.end(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
