package avro

import (
	"bytes"
	"testing"

	"github.com/flume-go/flume/event"
)

// TestTexts: the texts have the hashes that are known for them.
func TestTexts(t *testing.T) {
	if hashText != parseHash("30da54059df72d9584b867d5202e2069") || len(text) != 509 {
		t.Errorf("the text of %d characters has the hash %x", len(text), hashText)
	}
	if legacy.hash != parseHash("47fd3a2e236fb7e98d0cc01fdf7833b1") || len(legacyText) != 560 {
		t.Errorf("the old text of %d characters has the hash %x", len(legacyText), legacy.hash)
	}
	for _, p := range []*protocol{current, legacy} {
		if err := p.check([]byte(p.text)); err != nil {
			t.Error(err)
		}
	}
	if current.check([]byte(legacyText)) == nil || legacy.check([]byte(text)) == nil {
		t.Error("one protocol is taken for the other")
	}
}

// FuzzLegacy gives any content to a source of the old protocol.
func FuzzLegacy(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0})
	payload := append(legacyHash1[:], 0)
	payload = append(append(payload, legacyHash1[:]...), 2, 0, 0, 12)
	payload = append(payload, "append\x02\x06\x02x\x00\x02h\x02\x02k\x02v\x00"...)
	f.Add(append(cut(0, payload, 1000)[8:], 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, p []byte) {
		answer, refused, err := NewLegacy(1<<16).Answer(bytes.NewReader(p), func(b *event.Batch) error {
			if b.Len() != 1 {
				t.Errorf("a request has %d events", b.Len())
			}
			return nil
		})
		if (err == nil) != (len(answer) >= 4) || err != nil && refused != nil {
			t.Errorf("answer %x, refused %v, error %v", answer, refused, err)
		}
	})
}
