// Command tailwater carries NATS subjects to browsers. README.md in this folder describes it; `tailwater --help` lists every setting.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		received := <-signals
		signal.Stop(signals) // before the stop begins: a second signal ends the process at once, because it is not handled any more
		stop(fmt.Errorf("%v signal received", received))
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
