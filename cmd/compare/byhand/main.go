// Command byhand is what a Go programmer writes in an afternoon to bring NATS subjects to browsers: net/http, and a NATS subscription for
// each client. It does the obvious things right: waiting messages are flushed together, and a client that receives nothing for a while
// is disconnected. A nats-server runs inside, as in Tailwater, so that both are measured with it.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

func main() {
	patience := flag.Duration("write-timeout", 20*time.Second, "how long a client may receive nothing before it is disconnected")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *patience); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, patience time.Duration) error {
	embedded, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		return fmt.Errorf("set up NATS: %w", err)
	}
	embedded.Start()
	defer embedded.WaitForShutdown()
	defer embedded.Shutdown()
	if !embedded.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("NATS does not start")
	}
	// Slow clients lose messages, and nats.go would print a line for each loss.
	conn, err := nats.Connect("", nats.InProcessServer(embedded), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		return fmt.Errorf("connect to NATS: %w", err)
	}
	defer conn.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	fmt.Printf("{\"http\":\"http://%s\",\"nats\":%q}\n", listener.Addr(), embedded.ClientURL())
	handler := http.NewServeMux()
	handler.Handle("GET /events/{subject}", &events{conn, patience})
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = web.Close()
	}()
	if err := web.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

type events struct {
	conn     *nats.Conn
	patience time.Duration
}

const (
	queued    = 256 // messages queued for one client
	heartbeat = 15 * time.Second
)

func (e *events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	messages := make(chan *nats.Msg, queued)
	sub, err := e.conn.ChanSubscribe(r.PathValue("subject"), messages)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = sub.Unsubscribe() }()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		select {
		case msg := <-messages:
			_ = out.SetWriteDeadline(time.Now().Add(e.patience))
			for more := true; more; {
				if writeEvent(w, msg.Data) != nil {
					return
				}
				select {
				case msg = <-messages:
				default:
					more = false
				}
			}
		case <-alive.C:
			_ = out.SetWriteDeadline(time.Now().Add(e.patience))
			_, _ = w.Write([]byte(":\n\n"))
		case <-r.Context().Done():
			return
		}
		if out.Flush() != nil {
			return
		}
	}
}

func writeEvent(w http.ResponseWriter, data []byte) error {
	for line := range bytes.SplitSeq(data, []byte("\n")) {
		if _, err := fmt.Fprintf(w, "data: %s\n", line); err != nil {
			return err
		}
	}
	_, err := w.Write([]byte("\n"))
	return err
}
