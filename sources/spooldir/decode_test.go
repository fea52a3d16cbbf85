package spooldir

import (
	"bufio"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vector is a line of testdata/vectors.txt; see testdata/Vectors.java.
type vector struct {
	set             string
	in              []byte
	replace, ignore string
	fails           int // offset, -1 if it does not
}

func vectors(t *testing.T) []vector {
	t.Helper()
	f, err := os.Open("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []vector
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		p := strings.Split(sc.Text(), "\t")
		v := vector{p[0], unhex(p[1]), string(unhex(p[2])), string(unhex(p[3])), -1}
		if p[4] != "-" {
			if v.fails, err = strconv.Atoi(p[4]); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, v)
	}
	return out
}

// linesOf cuts text as Flume does.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// TestCharactersAsJava decodes what is malformed or has no meaning, under each policy, and compares with Java's decoders.
func TestCharactersAsJava(t *testing.T) {
	sources := map[string]*source{}
	for _, v := range vectors(t) {
		for policy, want := range map[string]string{"REPLACE": v.replace, "IGNORE": v.ignore} {
			key := v.set + " " + policy
			if sources[key] == nil {
				sources[key], _ = newSource(t, io.Discard, "spoolDir = /", "inputCharset = "+v.set, "decodeErrorPolicy = "+policy)
			}
			got := deserialize(t, sources[key], v.in, mark{})
			if got.err != nil || !slices.Equal(got.bodies, linesOf(want)) {
				t.Errorf("%s: %x is %q, %v; Java makes it %q", key, v.in, got.bodies, got.err, linesOf(want))
			}
		}
		key := v.set
		if sources[key] == nil {
			sources[key], _ = newSource(t, io.Discard, "spoolDir = /", "inputCharset = "+v.set)
		}
		got := deserialize(t, sources[key], v.in, mark{})
		var bad *badText
		switch {
		case v.fails < 0 && got.err != nil, v.fails >= 0 && !errors.As(got.err, &bad):
			t.Errorf("%s: %x: error %v; Java fails at %d", key, v.in, got.err, v.fails)
		case bad != nil && sources[key].form.decoder != nil && bad.offset != int64(v.fails):
			t.Errorf("%s: %x fails at %d, in Java at %d", key, v.in, bad.offset, v.fails)
		}
	}
}
