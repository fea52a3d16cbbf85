package sloghandler_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/flume-go/flume/sdk"
	"github.com/flume-go/flume/sdk/sloghandler"
)

// printer stands for a client of an agent.
type printer struct{}

func (printer) Append(_ context.Context, e sdk.Event) error {
	fmt.Printf("%s %s: %s\n", e.Headers[sloghandler.HeaderLogger], e.Headers[sloghandler.HeaderLevel], e.Body)
	return nil
}

func (p printer) AppendBatch(ctx context.Context, events []sdk.Event) error {
	for _, e := range events {
		_ = p.Append(ctx, e)
	}
	return nil
}

func (printer) BatchSize() int { return 100 }
func (printer) Close() error   { return nil }

func Example() {
	queue := sdk.NewQueue(printer{}, sdk.QueueOptions{Full: sdk.Drop})
	handler := sloghandler.New(queue, sloghandler.Options{Logger: "shop", Layout: sloghandler.Message})
	log := slog.New(handler)
	log.Info("an order has come in", "id", 17)
	slog.New(handler.Named("shop.db")).Error("the database is slow")
	if err := queue.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// shop 20000: an order has come in
	// shop.db 40000: the database is slow
}
