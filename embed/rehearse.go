package embed

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
)

// HasStream reports whether the folder already has a stream of that name, in any account.
func (c Config) HasStream(name string) bool {
	options, err := c.options()
	if err != nil {
		return false
	}
	found, err := fs.Glob(os.DirFS(options.StoreDir), path.Join(server.JetStreamStoreDir, "*", "streams", name, server.JetStreamMetaFile))
	return err == nil && len(found) > 0
}

// Rehearse calls try with a server with the same limits on an empty folder beside the real one, and so on the same disk, without any
// listener. What JetStream refuses there, it would refuse in the real folder. For a server of a cluster, or with accounts that an operator
// manages, a single server proves nothing: Rehearse does not call try.
func Rehearse(config Config, log *slog.Logger, try func(*Server) error) (err error) {
	options, signIn, err := config.resolve()
	if err != nil || isClustered(options) || len(options.TrustedOperators) > 0 {
		return err
	}
	if options.StoreDir, err = scratch(options.StoreDir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(options.StoreDir)) }()
	withdraw(options)
	server, err := startIn(config, options, signIn, log)
	if err != nil {
		return fmt.Errorf("try whether JetStream has enough room: %w", err)
	}
	return errors.Join(try(server), server.Stop())
}

// scratch makes a folder beside dir, which need not exist yet.
func scratch(dir string) (string, error) {
	near, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the folder of TAILWATER_EMBED_DIR: %w", err)
	}
	for {
		if _, err := os.Stat(near); err == nil || near == filepath.Dir(near) {
			break
		}
		near = filepath.Dir(near)
	}
	made, err := os.MkdirTemp(near, "tailwater-check-")
	if err != nil {
		return "", fmt.Errorf("%w; set TAILWATER_EMBED_DIR to a folder that can be written", err)
	}
	return made, nil
}

// withdraw removes from the options what reaches out of the process.
func withdraw(o *server.Options) {
	o.DontListen = true
	o.HTTPPort, o.HTTPSPort, o.ProfPort = 0, 0, 0
	o.LogFile, o.PidFile, o.PortsFileDir = "", "", ""
	o.LeafNode, o.Gateway = server.LeafNodeOpts{}, server.GatewayOpts{}
	o.Websocket, o.MQTT = server.WebsocketOpts{}, server.MQTTOpts{}
}
