package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/bridge/sockets"
	"github.com/tailwater/tailwater/configs"
)

// admin is the listener for probes and metrics.
type admin struct {
	node     *Node
	server   *http.Server
	address  net.Addr
	draining atomic.Bool
}

// openAdmin opens the listener, unless the setting is empty.
func (n *Node) openAdmin() error {
	a := &admin{node: n}
	n.admin = a
	address := n.Settings.Admin.Listen
	if address == "" {
		return nil
	}
	listener, err := listen("ADMIN_LISTEN", address)
	if err != nil {
		return err
	}
	a.address = listener.Addr()
	loopback := configs.Loopback(string(address))
	a.server = NewServer(n.Live.Guard(live.Access{LoopbackHosts: loopback}, a.handler(loopback)), n.log)
	places := sockets.NewPlaces(sockets.Limits{All: adminConnections, Log: n.log})
	a.server.Handler, a.server.ConnContext = places.Handler(a.server.Handler), sockets.ConnContext
	n.serve(a.server, sockets.Listen(listener, places))
	return nil
}

// handler serves what the listener allows: lists of connections and profiles only to this machine.
func (a *admin) handler(loopback bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", a.healthz)
	mux.HandleFunc("GET /readyz", a.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(newRegistry(a.node), promhttp.HandlerOpts{}))
	if loopback {
		a.debug(mux)
	}
	return mux
}

// healthz reports that the process is alive. It never depends on NATS, because a restart would not bring NATS back.
func (a *admin) healthz(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, "ok")
}

// readyz reports whether browsers should be sent here: not before NATS was reached and revocations were read for the first time, and not
// while stopping. A later loss of NATS shows in the text only: all bridges would lose it, and the load balancer would turn every browser
// away. ADMIN_READY_WITHOUT_NATS changes that. An embedded server that cannot store affects this bridge alone, which is then not ready.
// A history that cannot be kept shows in the text: messages are still carried.
func (a *admin) readyz(w http.ResponseWriter, _ *http.Request) {
	stats, unready := a.node.Live.Stats().NATS, a.node.Live.Ready()
	status, text := http.StatusOK, "ready; NATS is connected"
	switch {
	case a.draining.Load():
		status, text = http.StatusServiceUnavailable, "not ready; stopping"
	case a.node.storeProblem() != "":
		status, text = http.StatusServiceUnavailable, "not ready; "+a.node.storeProblem()
	case unready != nil:
		status, text = http.StatusServiceUnavailable, "not ready; "+unready.Error()
	case !stats.Connected && a.node.Settings.Admin.ReadyWithoutNATS.Over(time.Since(stats.Lost)):
		status, text = http.StatusServiceUnavailable, "not ready; NATS has been unreachable for longer than TAILWATER_ADMIN_READY_WITHOUT_NATS"
	case !stats.Connected:
		text = "ready; NATS is unreachable, browsers stay connected and wait"
	default:
		text = strings.Join(append([]string{text}, a.node.Live.Problems()...), "; ")
	}
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

func (a *admin) close() error {
	if a.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		return a.server.Close() // a request, such as a profile, does not delay the end of the process
	}
	return nil
}
