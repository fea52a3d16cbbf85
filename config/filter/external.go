package filter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"

	"github.com/flume-go/flume/property"
)

const (
	commandTime = 10 * time.Second // one run
	commandWait = time.Second      // for its pipes, once it is killed
	maxOutput   = 1 << 20          // bytes of stdout
	maxComplain = 4 << 10          // bytes of stderr that an error repeats
)

// external runs a program with the key as last argument; the first line of its
// output is the value.
type external struct {
	command []string
	charset encoding.Encoding // nil for UTF-8
	timeout time.Duration
}

// newExternal checks the settings command and charset.
func newExternal(settings property.Settings) (filter, *property.Problem) {
	command, ok := settings["command"]
	fields := strings.Fields(command.Text)
	if !ok || len(fields) == 0 {
		return nil, &property.Problem{
			Severity: property.Error, At: settings["type"].At, Key: "command",
			What:   "is missing",
			Remedy: "give the program, with its path and arguments, that prints the secret",
		}
	}
	f := external{command: fields, timeout: commandTime}
	if name, ok := settings["charset"]; ok {
		charset, err := charsetNamed(name.Text)
		if err != nil {
			return nil, &property.Problem{
				Severity: property.Error, At: name.At, Key: "charset",
				What:   fmt.Sprintf("%q is no known character set", name.Text),
				Remedy: "use UTF-8 or another name registered with IANA",
			}
		}
		f.charset = charset
	}
	return f, nil
}

// charsetNamed finds a character set as Java names it: by its IANA name, or one
// that browsers know.
func charsetNamed(name string) (encoding.Encoding, error) {
	if strings.EqualFold(name, "UTF-8") || strings.EqualFold(name, "UTF8") {
		return nil, nil
	}
	if charset, err := ianaindex.IANA.Encoding(name); err == nil && charset != nil {
		return charset, nil
	}
	return htmlindex.Get(name)
}

func (f external) lookup(ctx context.Context, key string) answer {
	failed := func(format string, args ...any) answer {
		return answer{
			severity: property.Error,
			what:     fmt.Sprintf("%s: ", f.command[0]) + fmt.Sprintf(format, args...) + "; the reference stays as written",
			remedy:   "run the command by hand, as the agent's user, with this key",
		}
	}
	output, err := f.run(ctx, key)
	if err != nil {
		return failed("%v", err)
	}
	if f.charset != nil {
		if output, err = f.charset.NewDecoder().Bytes(output); err != nil {
			return failed("decoding its output: %v", err)
		}
	}
	line, rest, ok := firstLine(strings.ToValidUTF8(string(output), string(utf8.RuneError)))
	switch {
	case !ok:
		return failed("it printed nothing")
	case rest:
		return answer{
			value: line, found: true,
			severity: property.Warning,
			what:     f.command[0] + ": it printed more than one line; only the first is used",
			remedy:   "let it print the secret alone",
		}
	}
	return answer{value: line, found: true}
}

// run returns what the program prints. Its errors have the program's complaint,
// not its output.
func (f external) run(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, fmt.Errorf("it took longer than %v", f.timeout))
	defer cancel()
	arguments := append(append([]string(nil), f.command[1:]...), key)
	cmd := exec.CommandContext(ctx, f.command[0], arguments...)
	stdout := &limited{most: maxOutput, refuse: true}
	stderr := &limited{most: maxComplain}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	cmd.WaitDelay = commandWait // its children may hold the pipes open
	err := cmd.Run()
	switch {
	case err == nil:
		return stdout.buf.Bytes(), nil
	case stdout.over:
		return nil, fmt.Errorf("it printed more than %d bytes", maxOutput)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	if _, ran := errors.AsType[*exec.ExitError](err); ran {
		complaint := strings.TrimSpace(strings.ToValidUTF8(stderr.buf.String(), string(utf8.RuneError)))
		if complaint == "" {
			complaint = "nothing"
		}
		return nil, fmt.Errorf("it ended with %w and said on stderr: %s", err, complaint)
	}
	return nil, fmt.Errorf("running it: %w", err)
}

// limited keeps the first bytes written. Beyond them it refuses, or takes and
// forgets.
type limited struct {
	buf    bytes.Buffer // not embedded: its ReadFrom would know no limit
	most   int
	refuse bool
	over   bool
}

func (l *limited) Write(p []byte) (int, error) {
	room := l.most - l.buf.Len()
	if len(p) <= room {
		return l.buf.Write(p)
	}
	l.over = true
	l.buf.Write(p[:room])
	if l.refuse {
		return room, errors.New("too much output")
	}
	return len(p), nil
}

// firstLine cuts text at the first end of a line as Java's Scanner knows them.
// more says that another line follows; without any line ok is false.
func firstLine(text string) (line string, more, ok bool) {
	if text == "" {
		return "", false, false
	}
	end := strings.IndexAny(text, "\n\r\u2028\u2029\u0085")
	if end < 0 {
		return text, false, true
	}
	_, size := utf8.DecodeRuneInString(text[end:])
	rest := text[end+size:]
	if text[end] == '\r' {
		rest = strings.TrimPrefix(rest, "\n")
	}
	return text[:end], rest != "", true
}
