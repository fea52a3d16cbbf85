package bench

import (
	"bytes"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/flume-go/flume/bench/lines"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/internal/syslog"
)

const (
	syslogMessages = 500
	syslogBytes    = 256
)

// syslogBlock is messages of RFC 5424, each with a stamp of its own.
func syslogBlock(tb testing.TB) []byte {
	tb.Helper()
	format, err := lines.Syslog.Format(syslogBytes, syslogMessages*syslogBytes)
	if err != nil {
		tb.Fatal(err)
	}
	sender, err := format.NewSender(0, syslogMessages)
	if err != nil {
		tb.Fatal(err)
	}
	return sender.Next()
}

// parseSyslog makes events of a block as the syslog sources do, and returns their number and how many are no messages.
func parseSyslog(p *syslog.Parser, f *syslog.Framer, block []byte) (messages, invalid int) {
	b := event.NewBatch()
	defer b.Release()
	space := b.Reserve(len(block))
	data := b.Commit(copy(space, block))
	p.Begin(time.Unix(1_800_000_000, 0))
	for {
		m, n, ok := f.Next(data)
		if !ok {
			return b.Len(), invalid
		}
		data = data[n:]
		if _, status := p.Append(b, m); status != syslog.OK {
			invalid++
		}
	}
}

// BenchmarkSyslog is a message of RFC 5424 from a block in memory to an event with headers and body. Beside it is the
// parser of leodido/go-syslog, which makes a struct of each message; it is given them cut already. One operation is one
// message.
func BenchmarkSyslog(b *testing.B) {
	block := syslogBlock(b)
	b.Run("flume", func(b *testing.B) {
		p, f := syslog.NewParser(syslog.Options{}), &syslog.Framer{Limit: 2500}
		b.ReportAllocs()
		for n := 0; n < b.N; n += syslogMessages {
			if messages, invalid := parseSyslog(p, f, block); messages != syslogMessages || invalid > 0 {
				b.Fatalf("%d messages, %d of them invalid", messages, invalid)
			}
		}
	})
	b.Run("go-syslog", func(b *testing.B) {
		messages := bytes.Split(bytes.TrimSuffix(block, []byte("\n")), []byte("\n"))
		parser := rfc5424.NewParser()
		b.ReportAllocs()
		for n := 0; n < b.N; n += syslogMessages {
			for _, message := range messages {
				if m, err := parser.Parse(message); err != nil || !m.Valid() {
					b.Fatalf("%q: %v", message, err)
				}
			}
		}
	})
}
