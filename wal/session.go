package wal

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"slices"
)

// SessionID is random, one for each time that a log was opened. With the number of an event that was
// appended then it names the event for good: also when the log's directories are put back from a copy
// made earlier, and the numbers given since are given again.
type SessionID [16]byte

// session is the events from a number on, up to the next session.
type session struct {
	from uint64
	id   SessionID
}

const (
	sessionSize = 8 + 16
	maxSessions = 1024 // known; the oldest are forgotten first
)

// beginSession has the events from here on belong to a session of their own. Of those before nobody knows whose they are if the
// checkpoint was lost, as only that is sure to have the latest session. mu is held or nobody else has the log.
func (l *Log) beginSession(known bool) error {
	var id SessionID
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("naming the session: %w", err)
	}
	if !known {
		l.sessions = nil
	}
	first := l.gone[0].To
	for len(l.sessions) > 1 && l.sessions[1].from <= first || len(l.sessions) >= maxSessions {
		l.sessions = l.sessions[1:]
	}
	sessions := slices.Clone(l.sessions)
	if last := len(sessions) - 1; last >= 0 && sessions[last].from == l.next {
		sessions = sessions[:last] // nothing was appended in it
	}
	l.sessions = append(sessions, session{l.next, id})
	return nil
}

// sessionOf returns the session of an event; the zero value if it is not known. mu is held.
func (l *Log) sessionOf(n uint64) SessionID {
	for i := len(l.sessions) - 1; i >= 0; i-- {
		if l.sessions[i].from <= n {
			return l.sessions[i].id
		}
	}
	return SessionID{}
}

// First returns the number of the first event that is not gone, or of the next to be appended.
func (l *Log) First() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone.gap(Range{1, l.next}).From
}

func appendSessions(b []byte, list []session) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, uint32(len(list)))
	for _, s := range list {
		b = append(le.AppendUint64(b, s.from), s.id[:]...)
	}
	return b
}

// takeSessions is the reverse of appendSessions.
func takeSessions(p []byte) (list []session, rest []byte, ok bool) {
	if len(p) < 4 {
		return nil, nil, false
	}
	le := binary.LittleEndian
	n := int64(le.Uint32(p))
	p = p[4:]
	if n*sessionSize > int64(len(p)) {
		return nil, nil, false
	}
	list = make([]session, n)
	for i := range list {
		list[i].from = le.Uint64(p)
		copy(list[i].id[:], p[8:])
		if i > 0 && list[i].from < list[i-1].from {
			return nil, nil, false
		}
		p = p[sessionSize:]
	}
	return list, p, true
}
