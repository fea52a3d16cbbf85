package fileroll

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/avro/ocf"

	"github.com/flume-go/flume/conform/sinktest"
	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/flow"
	"github.com/flume-go/flume/internal/vfs"
)

// fileErrors are what a file system can do to the sink.
var fileErrors = map[sinktest.Behaviour]flow.Class{
	sinktest.Refuse: flow.ClassRetry,
	sinktest.Break:  flow.ClassRetry,
}

func TestConformance(t *testing.T) {
	for _, fsync := range []string{fsyncNever, fsyncBatch} {
		t.Run("text, fsync "+fsync, func(t *testing.T) {
			sinktest.Run(t, sinktest.Harness{
				Type:        "file_roll",
				Destination: disk(readLines, map[string]string{"sink.fsync": fsync}),
				Errors:      fileErrors,
				Lines:       true,
			})
		})
	}
	t.Run("avro_event", func(t *testing.T) {
		sinktest.Run(t, sinktest.Harness{
			Type:        "file_roll",
			Destination: disk(readEvents, map[string]string{"sink.serializer": "avro_event", "sink.rollSize": "1000"}),
			Errors:      fileErrors,
			Headers:     true,
		})
	})
	t.Run("avro_body", func(t *testing.T) {
		sinktest.Run(t, sinktest.Harness{
			Type:        "file_roll",
			Destination: disk(readBodies, map[string]string{"sink.serializer": "avro_body"}),
			Errors:      fileErrors,
			Prepare: func(b *event.Batch, e *event.Event) {
				datum := append(binary.AppendVarint(nil, int64(len(e.Body))), e.Body...)
				b.SetBody(e, b.Copy(datum))
				b.SetHeader(e, "flume.avro.schema.literal", `"bytes"`)
			},
			Spoil: func(b *event.Batch, e *event.Event) { b.SetBody(e, e.Body[:len(e.Body)-1]) },
		})
	})
}

// disk makes destinations that are a directory of a disk which can fail.
func disk(read func(file string) ([]event.Event, error), settings map[string]string) func(testing.TB) sinktest.Destination {
	return func(t testing.TB) sinktest.Destination {
		m := mem(t)
		f := vfs.NewFailing(m, nil)
		all := map[string]string{"sink.directory": filepath.ToSlash(dir)}
		for k, v := range settings {
			all[k] = v
		}
		return sinktest.Destination{
			Settings: all,
			FS:       f,
			Behave:   func(how sinktest.Behaviour) { f.SetInjector(injector(how)) },
			Content: func() ([]event.Event, error) {
				contents, names := files(t, m)
				var events []event.Event
				for i, c := range contents {
					some, err := read(c)
					if err != nil {
						return nil, fmt.Errorf("reading %s: %w", names[i], err)
					}
					events = append(events, some...)
				}
				return events, nil
			},
		}
	}
}

// injector lets everything fail, or only writes, in the middle.
func injector(how sinktest.Behaviour) vfs.Injector {
	switch how {
	case sinktest.Refuse:
		return func(vfs.Op) vfs.Action { return vfs.Action{Err: errDisk} }
	case sinktest.Break:
		return vfs.Only(func(op vfs.Op) bool { return op.Kind == vfs.OpWrite },
			func(vfs.Op) vfs.Action { return vfs.Action{Err: errDisk, Keep: 20} })
	default:
		return nil
	}
}

func readLines(file string) ([]event.Event, error) {
	var events []event.Event
	for line := range strings.Lines(file) {
		body, ended := strings.CutSuffix(line, "\n")
		if !ended {
			return nil, fmt.Errorf("the last line, %.100q, has no end", line)
		}
		events = append(events, event.Event{Body: []byte(body)})
	}
	return events, nil
}

func readEvents(file string) ([]event.Event, error) {
	return readContainer(file, func(r *ocf.Reader) (e event.Event, err error) {
		var v struct {
			Headers map[string]string `avro:"headers"`
			Body    []byte            `avro:"body"`
		}
		err = r.Decode(&v)
		for key, value := range v.Headers {
			e.Headers = append(e.Headers, event.Header{Key: key, Value: value})
		}
		e.Body = v.Body
		return e, err
	})
}

func readBodies(file string) ([]event.Event, error) {
	return readContainer(file, func(r *ocf.Reader) (e event.Event, err error) {
		err = r.Decode(&e.Body)
		return e, err
	})
}

// readContainer reads an Avro container; an empty file is one without events.
func readContainer(file string, next func(*ocf.Reader) (event.Event, error)) ([]event.Event, error) {
	if file == "" {
		return nil, nil
	}
	r, err := ocf.NewReader(strings.NewReader(file))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var events []event.Event
	for {
		e, err := next(r)
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading event %d: %w", len(events), err)
		}
		events = append(events, e)
	}
}
