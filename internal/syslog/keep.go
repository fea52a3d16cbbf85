package syslog

import "strings"

// Keep says which parts of a message's head stay in front of the body.
type Keep struct {
	All                                    bool // the whole message
	Priority, Version, Timestamp, Hostname bool
}

// ParseKeep reads the property keepFields as Flume does. ok is false if no field
// is named and nothing said to keep none.
func ParseKeep(text string) (k Keep, ok bool) {
	text = strings.ToLower(strings.TrimSpace(text))
	switch text {
	case "", "none", "false":
		return k, true
	case "all", "true":
		return Keep{All: true}, true
	}
	k.Priority = strings.Contains(text, "priority")
	k.Version = strings.Contains(text, "version")
	k.Timestamp = strings.Contains(text, "timestamp")
	k.Hostname = strings.Contains(text, "hostname")
	return k, k.any()
}

func (k Keep) any() bool { return k.Priority || k.Version || k.Timestamp || k.Hostname }
