package taildir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// entry is one file in Flume's position file.
type entry struct {
	inode uint64
	pos   int64
	path  string
}

// Errors of a position file.
var (
	// errDamaged says that the text breaks off or is not JSON: what stands
	// before is good.
	errDamaged = errors.New("the position file is damaged")
	// errForeign says that the file is something else.
	errForeign = errors.New("the file is not a position file")
)

// appendPositions appends the text of a position file as Flume writes it.
func appendPositions(dst []byte, entries []entry) []byte {
	dst = append(dst, '[')
	for i, e := range entries {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"inode":`...)
		dst = strconv.AppendInt(dst, int64(e.inode), 10) // a Java long
		dst = append(dst, `,"pos":`...)
		dst = strconv.AppendInt(dst, e.pos, 10)
		dst = append(dst, `,"file":`...)
		dst = appendGsonString(dst, e.path)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// appendGsonString appends s quoted as Flume's JSON library does, which hides
// what could mean something in HTML.
func appendGsonString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			dst = append(dst, '\\', byte(r))
		case '\t':
			dst = append(dst, '\\', 't')
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '<', '>', '&', '=', '\'', '\u2028', '\u2029':
			dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		default:
			if r < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4&15], hexDigits[r&15])
				continue
			}
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// parsePositions reads a position file. With an errDamaged the entries before the
// damage are returned; an errForeign says that nothing of it can be believed. An
// empty file has no entries: Flume leaves one when no file matches. What follows
// the array is not looked at, as in Flume.
func parsePositions(data []byte) ([]entry, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return nil, fmt.Errorf("%w: it does not begin with an array", errForeign)
	}
	var entries []entry
	for d.More() {
		e, err := parseEntry(d)
		if err != nil {
			return entries, fmt.Errorf("entry %d, before byte %d: %w", len(entries)+1, d.InputOffset(), err)
		}
		entries = append(entries, e)
	}
	if _, err := d.Token(); err != nil {
		return entries, damage(err)
	}
	return entries, nil
}

func damage(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it breaks off", errDamaged)
	}
	return fmt.Errorf("%w: %w", errDamaged, err)
}

// parseEntry reads one object, whose three members may come in any order.
func parseEntry(d *json.Decoder) (e entry, err error) {
	t, err := d.Token()
	if err != nil {
		return e, damage(err)
	}
	if t != json.Delim('{') {
		return e, fmt.Errorf("%w: %v stands where an object is expected", errForeign, t)
	}
	have := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return e, damage(err)
		}
		value, err := d.Token()
		if err != nil {
			return e, damage(err)
		}
		key, _ := name.(string) // the decoder lets nothing else be a name
		if err := e.set(key, value); err != nil {
			return e, err
		}
		have[key] = true
	}
	if _, err := d.Token(); err != nil {
		return e, damage(err)
	}
	if len(have) < 3 {
		return e, fmt.Errorf("%w: an entry must have inode, pos and file", errForeign)
	}
	return e, nil
}

func (e *entry) set(key string, value json.Token) error {
	switch key {
	case "inode":
		n, err := number(value)
		e.inode = uint64(n)
		return err
	case "pos":
		n, err := number(value)
		e.pos = max(n, 0)
		return err
	case "file":
		s, ok := value.(string)
		if e.path = s; !ok {
			return fmt.Errorf("%w: file is not text", errForeign)
		}
		return nil
	default:
		return fmt.Errorf("%w: unknown member %q", errForeign, key)
	}
}

func number(t json.Token) (int64, error) {
	n, ok := t.(json.Number)
	if !ok {
		return 0, fmt.Errorf("%w: %v is not a number", errForeign, t)
	}
	v, err := n.Int64()
	if err != nil {
		return 0, fmt.Errorf("%w: %v is not a whole number", errForeign, n)
	}
	return v, nil
}
