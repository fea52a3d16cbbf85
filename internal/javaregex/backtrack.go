package javaregex

import (
	"fmt"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// backtrackEngine runs a pattern on package regexp2.
type backtrackEngine struct {
	search, whole *regexp2.Regexp
	groups        int
}

func newBacktrackEngine(root *node, groups int, timeout time.Duration) (*backtrackEngine, error) {
	e := &backtrackEngine{groups: groups}
	var err error
	if e.search, err = compileBacktrack(root, groups, timeout, "", ""); err != nil {
		return nil, err
	}
	e.whole, err = compileBacktrack(root, groups, timeout, `\A(?:`, `)\z`)
	return e, err
}

func compileBacktrack(root *node, groups int, timeout time.Duration, prefix, suffix string) (*regexp2.Regexp, error) {
	e := emitter{dialect: netDialect, captures: true}
	re, err := regexp2.Compile(e.emit(root, groups, prefix, suffix).text, regexp2.None)
	if err != nil {
		return nil, err
	}
	re.MatchTimeout = timeout
	return re, nil
}

// decoded is an input as code points, with the byte offset of each and, at the
// end, of what follows the last.
type decoded struct {
	runes   []rune
	offsets []int
}

// maxPooledRunes bounds the memory one pooled buffer keeps.
const maxPooledRunes = 64 << 10

var decodedPool = sync.Pool{New: func() any { return new(decoded) }}

func decode(b []byte) *decoded {
	d := decodedPool.Get().(*decoded)
	d.runes, d.offsets = d.runes[:0], d.offsets[:0]
	for i := 0; i < len(b); {
		r, size := decodeRune(b[i:])
		d.runes = append(d.runes, r)
		d.offsets = append(d.offsets, i)
		i += size
	}
	d.offsets = append(d.offsets, len(b))
	return d
}

func (d *decoded) release() {
	if cap(d.runes) <= maxPooledRunes {
		decodedPool.Put(d)
	}
}

// submatch appends the offsets of the first match.
func (e *backtrackEngine) submatch(dst []int, b []byte, whole bool) ([]int, bool, error) {
	d := decode(b)
	defer d.release()
	re := e.search
	if whole {
		re = e.whole
	}
	m, err := re.FindRunesMatch(d.runes)
	if err != nil {
		return dst, false, e.timeout(re)
	}
	if m == nil {
		return dst, false, nil
	}
	return e.appendMatch(dst, m, d), true, nil
}

// each calls f with the offsets of every match in turn, which f must not keep.
func (e *backtrackEngine) each(b []byte, f func(loc []int)) error {
	d := decode(b)
	defer d.release()
	var loc []int
	m, err := e.search.FindRunesMatch(d.runes)
	for m != nil && err == nil {
		loc = e.appendMatch(loc[:0], m, d)
		f(loc)
		m, err = e.search.FindNextMatch(m)
	}
	if err != nil {
		return e.timeout(e.search)
	}
	return nil
}

// timeout describes the only way a match of regexp2 fails. Its own error is not
// passed on because it quotes the input.
func (e *backtrackEngine) timeout(re *regexp2.Regexp) error {
	return fmt.Errorf("%w (limit %s)", ErrTimeout, re.MatchTimeout)
}

func (e *backtrackEngine) appendMatch(dst []int, m *regexp2.Match, d *decoded) []int {
	for g := 0; g <= e.groups; g++ {
		group := m.GroupByNumber(g)
		if group == nil || len(group.Captures) == 0 {
			dst = append(dst, -1, -1)
			continue
		}
		dst = append(dst, d.offsets[group.Index], d.offsets[group.Index+group.Length])
	}
	return dst
}
