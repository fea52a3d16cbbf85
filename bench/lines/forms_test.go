package lines

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// formOf is a format of a form that can be had by name.
func formOf(t *testing.T, form Form, length int) Format {
	t.Helper()
	found, err := FormOf(form.Name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := found.Format(length, 16<<10)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestSyslog sends messages and takes off of them what programs do.
func TestSyslog(t *testing.T) {
	const count = 1000
	f := formOf(t, Syslog, 256)
	sender, err := f.NewSender(0, count)
	if err != nil {
		t.Fatal(err)
	}
	v := f.NewVerifier([]int{count})
	sent := int64(0)
	for block := sender.Next(); len(block) > 0; block = sender.Next() {
		sent += int64(len(block))
		for line := range bytes.Lines(block) {
			if len(line) != 256 {
				t.Fatalf("message %q has %d bytes, want 256", line, len(line))
			}
			fields := strings.SplitN(string(line), " ", 4)
			if !strings.HasSuffix(fields[0], ">1") || fields[2] != "web-1.example.com" {
				t.Fatalf("message %q is none of RFC 5424", line)
			}
			v.Write([]byte(fields[3]))
		}
	}
	if sent != f.Content(count) || sent != 256*count || !f.Newlines() {
		t.Errorf("sent %d bytes, want %d", sent, f.Content(count))
	}
	if err := v.Verdict().Err(); err != nil {
		t.Error(err)
	}
	if size := v.Verdict().Bytes; size != int64(f.Length()*count) {
		t.Errorf("%d bytes came out, want %d lines of %d", size, count, f.Length())
	}
	v = f.NewVerifier([]int{1})
	v.Write([]byte(strings.Replace(string(f.appendLine(nil, 0, 0)[len(Syslog.before(0)):]), "app", "apt", 1)))
	if v.Verdict().Damaged != 1 {
		t.Errorf("a line behind another header: %+v, want that it is damaged", v.Verdict())
	}
}

// TestPosted has an HTTP parser and a JSON parser read what is posted.
func TestPosted(t *testing.T) {
	const count = 300
	f := formOf(t, Posted, 129)
	sender, err := f.NewSender(0, count)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for block := sender.Next(); len(block) > 0; block = sender.Next() {
		all = append(all, block...)
	}
	v := f.NewVerifier([]int{count})
	content := int64(0)
	in := bufio.NewReader(bytes.NewReader(all))
	for range count / 100 {
		r, err := http.ReadRequest(in)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		content += int64(len(body))
		var events []struct {
			Headers map[string]string
			Body    string
		}
		if err := json.Unmarshal(body, &events); err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if len(e.Body) != 128 || e.Headers["host"] == "" {
				t.Fatalf("event %+v, want a header and 128 bytes", e)
			}
			v.Write([]byte(e.Body + "\n"))
		}
	}
	if err := v.Verdict().Err(); err != nil {
		t.Error(err)
	}
	if content != f.Content(count) || f.Newlines() {
		t.Errorf("%d bytes of content, want %d", content, f.Content(count))
	}
	if _, err := f.NewSender(0, 150); err == nil {
		t.Error("150 lines could be sent, want only whole requests")
	}
}

func TestFormRefusesNonsense(t *testing.T) {
	if _, err := FormOf("nonsense"); err == nil || !strings.Contains(err.Error(), "plain, syslog, posted") {
		t.Errorf("FormOf = %v, want the names that there are", err)
	}
	for _, form := range []Form{Syslog, Posted} {
		if _, err := form.Format(20, 16<<10); err == nil {
			t.Errorf("%s: lines of 20 bytes were accepted", form.Name)
		}
	}
	if _, err := Syslog.Format(99, 16<<10); err == nil {
		t.Error("messages that have no room for a line were accepted")
	}
}
