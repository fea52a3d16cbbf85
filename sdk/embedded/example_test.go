package embedded_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/flume-go/flume/sdk"
	"github.com/flume-go/flume/sdk/embedded"
)

func Example() {
	ctx := context.Background()
	a := embedded.New("app", embedded.Options{Log: slog.New(slog.DiscardHandler), StopLimit: 1})
	err := a.Configure(map[string]string{
		"channel.type": "memory",
		"sinks":        "k1 k2",
		"k1.type":      "avro",
		"k1.hostname":  "127.0.0.1",
		"k1.port":      "1", // where nobody listens
		"k2.type":      "avro",
		"k2.hostname":  "127.0.0.1",
		"k2.port":      "1",

		"processor.type": "failover",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := a.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(a.Put(ctx, sdk.Event{Body: []byte("it waits for a collector")}), a.Waiting())
	if err := a.Stop(ctx); err != nil {
		fmt.Println("the channel was in memory: one event is lost")
	}
	// Output:
	// <nil> 1
	// the channel was in memory: one event is lost
}
