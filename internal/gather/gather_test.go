package gather

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
)

// plain takes single writes only, vector gathering ones as well; both count.
type plain struct {
	bytes.Buffer
	calls int
	fail  int // the call that fails, from 1
}

var errBroken = errors.New("broken")

func (p *plain) Write(b []byte) (int, error) {
	p.calls++
	if p.calls == p.fail {
		return 0, errBroken
	}
	return p.Buffer.Write(b)
}

type vector struct{ plain }

func (v *vector) Writev(bufs [][]byte) (int64, error) {
	n, err := v.Write(bytes.Join(bufs, nil))
	return int64(n), err
}

func TestAnySequenceIsWrittenInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	sizes := []int{0, 1, 100, copyBelow - 1, copyBelow, 5000, roomSize - 1, roomSize, roomSize + 1, 3*roomSize + 3}
	var p plain
	var v vector
	gp, gv := New(&p), New(&v)
	var want []byte
	for range 300 {
		piece := bytes.Repeat([]byte{byte(rng.Int())}, sizes[rng.IntN(len(sizes))])
		want = append(want, piece...)
		for _, g := range []*Writer{gp, gv} {
			var err error
			switch {
			case len(piece) == 1:
				err = g.AddByte(piece[0])
			case len(piece)%3 == 0:
				copied := bytes.Clone(piece)
				err = g.AddCopy(copied)
				clear(copied)
			case len(piece)%2 == 0:
				err = g.AddString(string(piece))
			default:
				err = g.Add(piece)
			}
			if err != nil {
				t.Fatal(err)
			}
			if rng.IntN(50) == 0 {
				err = g.Flush()
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, g := range []*Writer{gp, gv} {
		if err := g.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(p.Bytes(), want) {
		t.Error("single writes lost the order")
	}
	if !bytes.Equal(v.Bytes(), want) {
		t.Error("gathering writes lost the order")
	}
	if v.calls >= p.calls {
		t.Errorf("gathering took %d calls, single writes %d", v.calls, p.calls)
	}
}

func TestScatteredPiecesAreOneCall(t *testing.T) {
	var v vector
	g := New(&v)
	for range 1000 {
		if err := g.AddString("short"); err != nil {
			t.Fatal(err)
		}
		if err := g.AddByte('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Flush(); err != nil || v.calls != 1 {
		t.Errorf("%d calls, error %v; want one call", v.calls, err)
	}
	if err := g.Flush(); err != nil || v.calls != 1 {
		t.Errorf("an empty flush made a call (error %v)", err)
	}
}

func TestErrorForgetsTheRest(t *testing.T) {
	v := vector{plain{fail: 1}}
	g := New(&v)
	if err := g.AddString("lost"); err != nil {
		t.Fatal(err)
	}
	if err := g.Flush(); !errors.Is(err, errBroken) {
		t.Fatalf("Flush = %v, want the write's error", err)
	}
	if err := g.AddString("next"); err != nil {
		t.Fatal(err)
	}
	if err := g.Flush(); err != nil || v.String() != "next" {
		t.Errorf("after an error wrote %q, error %v; want only what came later", v.String(), err)
	}
}

func TestResetForgets(t *testing.T) {
	var v vector
	g := New(&v)
	_ = g.AddString("gone")
	_ = g.Add(make([]byte, copyBelow))
	g.Reset()
	if err := g.Flush(); err != nil || v.Len() != 0 {
		t.Errorf("wrote %d bytes after Reset, error %v", v.Len(), err)
	}
}
