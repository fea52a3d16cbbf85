package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxText is the longest text of a protocol that is read.
const maxText = 64 << 10

// maxDepth bounds the nesting of a type: recursive ones have no end.
const maxDepth = 16

// The structures of what is sent, as structure writes them.
const (
	eventShape  = "record{headers:map<string>,body:bytes}"
	statusShape = "enum{OK,FAILED,UNKNOWN}"
)

// check reports in what the messages of a peer's protocol differ from those of p. Avro would convert one structure to another; all known peers have the
// same one. Documentation, names of types, and attributes of languages do not count.
func (p *protocol) check(text []byte) error {
	var theirs struct {
		Namespace string
		Types     []any
		Messages  map[string]struct {
			Request  []any
			Response any
		}
	}
	if err := json.Unmarshal(text, &theirs); err != nil {
		return fmt.Errorf("parsing the protocol: %w", err)
	}
	n := names{}
	for _, t := range theirs.Types {
		n.define(t, 0)
	}
	found := false
	for name, want := range p.messages {
		m, ok := theirs.Messages[name]
		if !ok {
			continue
		}
		found = true
		for _, t := range m.Request {
			n.define(t, 0)
		}
		if got := n.fields(m.Request, 0); got != want {
			return fmt.Errorf("the message %s has the parameters (%s), here (%s)", name, got, want)
		}
		if got := n.structure(m.Response, 0); got != p.response {
			return fmt.Errorf("the message %s is answered with %s, here with %s", name, got, p.response)
		}
	}
	if !found {
		return errors.New("the protocol has no message of Flume's")
	}
	return nil
}

// names are the types that a protocol defines, by their names without namespace.
type names map[string]any

func simple(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// define enters a type, and those that are defined within it.
func (n names) define(t any, depth int) {
	if depth > maxDepth {
		return
	}
	switch t := t.(type) {
	case []any:
		for _, branch := range t {
			n.define(branch, depth+1)
		}
	case map[string]any:
		if name, ok := t["name"].(string); ok && (t["fields"] != nil || t["symbols"] != nil) {
			n[simple(name)] = t
		}
		for _, key := range []string{"type", "items", "values", "fields"} {
			n.define(t[key], depth+1)
		}
	}
}

// structure writes a type without its names.
func (n names) structure(t any, depth int) string {
	if depth > maxDepth {
		return "…"
	}
	switch t := t.(type) {
	case string:
		if named, ok := n[simple(t)]; ok {
			return n.structure(named, depth+1)
		}
		return t
	case map[string]any:
		return n.complexStructure(t, depth)
	default:
		return "something else"
	}
}

func (n names) complexStructure(t map[string]any, depth int) string {
	switch kind := t["type"]; kind {
	case "map":
		return "map<" + n.structure(t["values"], depth+1) + ">"
	case "array":
		return "array<" + n.structure(t["items"], depth+1) + ">"
	case "enum":
		symbols, _ := t["symbols"].([]any)
		var names []string
		for _, s := range symbols {
			names = append(names, fmt.Sprint(s))
		}
		return "enum{" + strings.Join(names, ",") + "}"
	case "record":
		fields, _ := t["fields"].([]any)
		return "record{" + n.fields(fields, depth+1) + "}"
	default:
		return n.structure(kind, depth+1) // {"type": "string", "avro.java.string": …}
	}
}

func (n names) fields(fields []any, depth int) string {
	var parts []string
	for _, f := range fields {
		field, _ := f.(map[string]any)
		name, _ := field["name"].(string)
		parts = append(parts, name+":"+n.structure(field["type"], depth+1))
	}
	return strings.Join(parts, ",")
}
