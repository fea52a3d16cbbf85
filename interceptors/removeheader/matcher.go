package removeheader

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/flume-go/flume/internal/javaregex"
)

// maxKnown bounds the names whose answer is remembered. Agents see a few dozen;
// further ones, as of somebody who puts data into names, are matched each time.
const maxKnown = 1024

// matcher remembers which names match a pattern. Answers are read without a lock:
// the map in known is never changed, only replaced.
type matcher struct {
	re    *javaregex.Regexp
	known atomic.Pointer[map[string]bool]
	mu    sync.Mutex // for replacing known
}

func newMatcher(re *javaregex.Regexp) *matcher {
	m := &matcher{re: re}
	m.known.Store(&map[string]bool{})
	return m
}

// matching is the use of a matcher for one batch.
type matching struct {
	*matcher
	answers map[string]bool
	fresh   map[string]bool // answers that were not known, nil without
	failed  int             // names that took too long; they count as not matching
	err     error           // why
}

func (m *matcher) begin() matching { return matching{matcher: m, answers: *m.known.Load()} }

func (m *matching) matches(name string) bool {
	if answer, ok := m.answers[name]; ok {
		return answer
	}
	if answer, ok := m.fresh[name]; ok {
		return answer
	}
	answer, err := m.re.Matches([]byte(name))
	if err != nil {
		// Not remembered: it may have been the machine that was slow.
		m.failed++
		m.err = err
		return false
	}
	if len(m.answers)+len(m.fresh) < maxKnown {
		if m.fresh == nil {
			m.fresh = map[string]bool{}
		}
		m.fresh[strings.Clone(name)] = answer // name is memory of the batch
	}
	return answer
}

// end keeps what was learned.
func (m *matching) end() {
	if len(m.fresh) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := maps.Clone(*m.known.Load())
	for name, answer := range m.fresh {
		if len(known) < maxKnown {
			known[name] = answer
		}
	}
	m.known.Store(&known)
}
