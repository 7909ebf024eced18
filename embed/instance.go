package embed

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// instance is one of the servers that a Server starts one after another.
type instance struct {
	*server.Server
	log       *logger
	isLimited bool // the file of the configuration limits what may be stored: another start has the same limit
	excess    atomic.Pointer[excess]
}

// startTimeout is how long the server may take to recover its streams and listen.
const startTimeout = 2 * time.Minute

func start(options *server.Options, log *slog.Logger) (*instance, error) {
	running, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS: %w", err)
	}
	logger := &logger{log: log}
	running.SetLoggerV2(logger, options.Debug, options.Trace, options.TraceVerbose)
	running.Start()
	// Start has no error of its own: the reason why the server cannot run is logged as fatal, which in nats-server itself ends the process.
	switch {
	case logger.fatal() != "":
		err = fmt.Errorf("embedded NATS cannot start: %s; if the address is in use, set TAILWATER_EMBED_LISTEN to another, or to nothing for no listener", logger.fatal())
	case !running.ReadyForConnections(startTimeout):
		err = fmt.Errorf("embedded NATS was not ready after %v", startTimeout)
	default:
		logger.started()
		started := &instance{Server: running, log: logger, isLimited: options.JetStreamMaxStore >= 0} // nats-server has made it -1 if the file does not set it
		started.measure()
		return started, nil
	}
	shutDown(running)
	return nil, err
}

// requestPatience is how long a stop waits for requests to JetStream that are being answered.
const requestPatience = time.Second

// shutDown stops a server and returns when everything that it held is written. nats-server 2.15 does not close a stream that is made while it
// shuts down, and tells nobody when a request is done, so its count of them is asked again and again: by Varz, as in measure.
func shutDown(running *server.Server) {
	for begun := time.Now(); time.Since(begun) < requestPatience; time.Sleep(time.Millisecond) {
		if info, err := running.Varz(nil); err != nil || info.JetStream.Stats == nil || info.JetStream.Stats.API.Inflight == 0 {
			break
		}
	}
	running.Shutdown()
	running.WaitForShutdown()
}

// ailment returns what keeps a server from storing, or "". After a write error, a store stays broken until its server is
// restarted, even if the cause is gone.
func (i *instance) ailment() string {
	message, over := i.log.broken.Load(), i.excess.Load()
	switch {
	case message != nil:
		return "the embedded NATS server cannot store: " + *message
	case !i.JetStreamEnabled():
		return "the embedded NATS server cannot store: JetStream has turned itself off"
	case over != nil:
		return "the embedded NATS server cannot store: " + over.String()
	default:
		return ""
	}
}
