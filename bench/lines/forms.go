package lines

import (
	"fmt"
	"strings"
)

// Form says what lines are sent as, and what of that programs pass on.
type Form struct {
	Name string // for command lines

	kept   string                 // in front of each line; programs pass it on as a part of the line
	before func(index int) string // in front of that, for each place in a block; programs take it off. Always of one length
	after  string                 // behind each line, if not a newline
	lines  int                    // of each block; 0: as many as fit

	between string                // two lines
	open    func(size int) string // in front of a block, of which size bytes follow; not a part of the content
	start   string                // begins the content of a block
	close   string                // ends it
}

// The forms there are.
var (
	// Plain lines are sent as they are.
	Plain = Form{Name: "plain"}
	// Syslog has lines in messages of RFC 5424. Each message of a block has another stamp, of the same second, and another priority than
	// its neighbours, so that a parser cannot do with having read one. What stands behind the host is passed on.
	Syslog = Form{Name: "syslog", kept: "app 4711 ID47 - ", before: func(index int) string {
		return fmt.Sprintf("<%d>1 2026-11-22T14:08:40.%06dZ web-1.example.com ", 10+index%90, index)
	}}
	// Posted has a hundred lines without their newlines as events of a JSON array in an HTTP request.
	Posted = Form{Name: "posted", lines: 100,
		before: func(int) string { return `{"headers":{"host":"web-1.example.com"},"body":"` }, after: `"}`,
		between: ",", start: "[", close: "]",
		open: func(size int) string {
			return fmt.Sprintf("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", size)
		}}
)

var forms = []Form{Plain, Syslog, Posted}

// FormOf finds a form by its name.
func FormOf(name string) (Form, error) {
	var names []string
	for _, f := range forms {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Form{}, fmt.Errorf("unknown form %q of lines: there are %s", name, strings.Join(names, ", "))
}

// Whole reports whether only full blocks can be sent.
func (f Form) Whole() bool { return f.lines > 0 }

// head is what stands in front of the line at index of its block.
func (f Form) head(index int) string {
	if f.before == nil {
		return f.kept
	}
	return f.before(index) + f.kept
}

// Format describes lines in this form. A plain line has length bytes, newline included, and so has a message; the
// body of a posted event has one less. Blocks have no more than blockBytes, unless the form says how many lines they
// have.
func (f Form) Format(length, blockBytes int) (Format, error) {
	if f.Whole() {
		blockBytes = f.lines * length
	} else if f.before != nil {
		// What programs take off is a part of the message, and not of the line that comes out.
		taken := len(f.before(0))
		blockBytes -= blockBytes / max(length, 1) * taken
		length -= taken
	}
	format, err := NewFormat(length, blockBytes)
	if err != nil {
		return format, err
	}
	format.form = f
	if length-len(f.kept) < MinLength {
		return format, fmt.Errorf("line of %d bytes of which %d are a header: must have %d more", length, len(f.kept), MinLength)
	}
	return format, nil
}

// stride is the number of bytes from one line of a block to the next.
func (f Format) stride() int {
	size := len(f.form.head(0)) + f.length - len(f.form.kept)
	if f.form.after != "" {
		size += len(f.form.after) - 1 // instead of the newline
	}
	return size + len(f.form.between)
}

// Newlines reports whether there is a newline in what is sent for each line.
func (f Format) Newlines() bool { return f.form.after == "" }

// Content is the number of bytes that are sent for count lines, without what frames a block.
func (f Format) Content(count int) int64 {
	size := int64(count) * int64(f.stride())
	if f.form.Whole() {
		blocks := int64(count / f.perBlock)
		size += blocks * int64(len(f.form.start)+len(f.form.close)-len(f.form.between))
	}
	return size
}
