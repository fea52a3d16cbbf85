package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/flume-go/flume/event"
	"github.com/flume-go/flume/sdk"
	"github.com/flume-go/flume/wire/avro"
)

// agent stands for an agent with an avro source: it prints what it gets.
type agent struct{ net.Listener }

func startAgent() agent {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	server := avro.NewServer(printer{}, false, nil, avro.Limits{})
	ctx, cancel := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	a := agent{ln}
	conns.Go(func() {
		defer cancel()
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
				_ = server.Serve(ctx, ctx, conn)
			})
		}
	})
	return a
}

type printer struct{}

func (printer) Handle(_ context.Context, c *avro.Call) (avro.Status, error) {
	for _, e := range c.Batch.Events() {
		slices.SortFunc(e.Headers, func(a, b event.Header) int { return len(a.Key) - len(b.Key) })
		fmt.Fprintf(os.Stdout, "%v %s\n", e.Headers, e.Body)
	}
	return avro.OK, nil
}

func (printer) Refused(_ net.Addr, err error) { panic(err) }

func Example() {
	a := startAgent()
	defer a.Close()
	ctx := context.Background()

	client, err := sdk.New(ctx, sdk.Options{Hosts: []string{a.Addr().String()}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	err = client.AppendBatch(ctx, []sdk.Event{
		{Body: []byte("ready"), Headers: map[string]string{"host": "web1"}},
		{Body: []byte("listening")},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// [{host web1}] ready
	// [] listening
}

// The properties of Apache Flume's client library.
func ExampleOpen() {
	one, two := startAgent(), startAgent()
	defer one.Close()
	defer two.Close()
	ctx := context.Background()

	client, err := sdk.Open(ctx, map[string]string{
		"client.type": "default_failover",
		"hosts":       "h1 h2",
		"hosts.h1":    one.Addr().String(),
		"hosts.h2":    two.Addr().String(),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	fmt.Println(client.Append(ctx, sdk.Event{Body: []byte("to one of them")}))
	// Output:
	// [] to one of them
	// <nil>
}

// What an agent does not have is sent again.
func ExampleDeliveryError() {
	a := startAgent()
	defer a.Close()
	ctx := context.Background()
	client, err := sdk.New(ctx, sdk.Options{Hosts: []string{a.Addr().String()}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	events := []sdk.Event{{Body: []byte("one")}, {Body: []byte("two")}}
	for len(events) > 0 {
		err := client.AppendBatch(ctx, events)
		if err == nil {
			break
		}
		var failure *sdk.DeliveryError
		if errors.As(err, &failure) {
			events = events[failure.Delivered:]
		}
		time.Sleep(time.Second)
	}
	// Output:
	// [] one
	// [] two
}

// Events are sent in the background, and dropped when there are too many.
func ExampleQueue() {
	a := startAgent()
	defer a.Close()
	ctx := context.Background()
	client, err := sdk.New(ctx, sdk.Options{Hosts: []string{a.Addr().String()}})
	if err != nil {
		log.Fatal(err)
	}

	queue := sdk.NewQueue(client, sdk.QueueOptions{Capacity: 1000, Full: sdk.Drop})
	_ = queue.Append(ctx, sdk.Event{Body: []byte("soon")})
	if err := queue.Close(); err != nil { // sends what is left
		log.Fatal(err)
	}
	fmt.Println(queue.Stats().Delivered, "delivered,", queue.Stats().Dropped, "dropped")
	// Output:
	// [] soon
	// 1 delivered, 0 dropped
}

// The log of a program goes to an agent as well.
func ExampleWriter() {
	a := startAgent()
	defer a.Close()
	client, err := sdk.New(context.Background(), sdk.Options{Hosts: []string{a.Addr().String()}})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	w := sdk.NewWriter(client, sdk.WriterOptions{PerWrite: true, Headers: map[string]string{"app": "demo"}})
	logger := log.New(w, "", 0)
	logger.Print("started")
	fmt.Fprintln(os.Stdout, "done")
	// Output:
	// [{app demo}] started
	// done
}
