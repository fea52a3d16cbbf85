package syslog

import (
	"strings"
	"testing"

	"github.com/flume-go/flume/event"
)

// BenchmarkParse is the way from a message in memory to an event with headers, in
// batches of 500.
func BenchmarkParse(b *testing.B) {
	const text = "su: pam_unix(su:session): session opened for user root by (uid=0), and so on for a hundred bytes"
	for _, c := range []struct {
		name string
		opt  Options
		line string
	}{
		{"stream/5424-each-its-stamp", Options{}, "<34>1 2003-10-11T22:14:15.123456Z mymachine.example.com su - ID47 - " + text},
		{"stream/5424-two-hosts", Options{}, "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - " + text +
			"\n<34>1 2003-10-11T22:14:15.003Z yourmachine.example.com su - ID47 - " + text},
		{"stream/3164", Options{}, "<34>Oct 11 22:14:15 mymachine " + text},
		{"stream/5424", Options{}, "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - " + text},
		{"stream/5424-structured", Options{Structured: true},
			`<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 [exampleSDID@32473 iut="3" eventID="1011"] ` + text},
		{"stream/no-format", Options{}, "<34>" + text},
		{"stream/invalid", Options{}, text},
		{"line/3164", Options{Dialect: Line}, "<34>Oct 11 22:14:15 mymachine " + text},
		{"line/5424", Options{Dialect: Line}, "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - " + text},
	} {
		b.Run(c.name, func(b *testing.B) {
			const lines = 500
			var block []byte
			for range lines / (1 + strings.Count(c.line, "\n")) {
				block = append(append(block, c.line...), '\n')
			}
			p := NewParser(c.opt)
			f := Framer{Limit: 2500, Dialect: c.opt.Dialect}
			each := strings.HasSuffix(c.name, "each-its-stamp")
			b.SetBytes(int64(len(block) / lines))
			b.ReportAllocs()
			for n := 0; n < b.N; n += lines {
				batch := event.NewBatch()
				space := batch.Reserve(256<<10 - 1)
				copy(space, block)
				data := batch.Commit(len(block))
				// Stamps differ from batch to batch, as they do in time.
				p.stamp.n = 0
				p.Begin(now)
				for {
					m, size, ok := f.Next(data)
					data = data[size:]
					if !ok {
						break
					}
					if each {
						p.stamp.n = 0
					}
					p.Append(batch, m)
				}
				if batch.Len() != lines {
					b.Fatalf("%d events", batch.Len())
				}
				batch.Release()
			}
		})
	}
}
