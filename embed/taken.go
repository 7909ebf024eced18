package embed

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
)

// Address returns where the server would listen for clients, as host:port, or "" if it would not.
func (c Config) Address() (string, error) {
	o, err := c.options()
	if err != nil || o.DontListen {
		return "", err
	}
	port := max(o.Port, 0) // RANDOM_PORT is negative
	if o.Port == 0 {
		port = server.DEFAULT_PORT
	}
	return net.JoinHostPort(o.Host, strconv.Itoa(port)), nil
}

// CheckFolder returns an error if the folder of JetStream's files cannot be trusted, or another process uses it. It changes nothing.
func (c Config) CheckFolder() error {
	o, err := c.options()
	if err != nil {
		return err
	}
	if err := checkFolder(o.StoreDir); err != nil {
		return err
	}
	path := lockIn(o.StoreDir)
	if _, err := os.Stat(path); err != nil {
		return nil // nobody has used it yet
	}
	lock := flock.New(path)
	defer lock.Close()
	switch claimed, err := lock.TryLock(); {
	case err != nil:
		return fmt.Errorf("claim JetStream's folder: %w", err)
	case !claimed:
		return errTaken(o.StoreDir)
	}
	return nil
}
