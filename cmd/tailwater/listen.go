package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/tailwater/tailwater/configs"
)

// listen opens the listener of a setting.
func listen(setting string, address configs.Address) (net.Listener, error) {
	listener, err := net.Listen("tcp", string(address))
	if err != nil {
		return nil, errSetting(setting, fmt.Errorf("%w; set it to another address", err))
	}
	return listener, nil
}

// errSetting tells which setting an error comes from.
func errSetting(name string, err error) error {
	return fmt.Errorf("%s_%s: %w", configs.Prefix, name, err)
}

// newServer gives a server with time limits for what a client sends. There is none for what it is sent: an event stream
// has no end, and its writer watches its client by itself.
func newServer(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug), // what clients do wrong is no news
	}
}
