package live

import (
	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// own connects to the account of the bridge's own bucket, if there is one. Callers read and write in another account.
type own struct {
	source *source.Source
	hub    *bridge.Hub
}

// Memory for its messages: the keys of a bucket, which only the bridge reads.
const (
	ownIntake = 4 << 20
	ownFrames = 1 << 20
)

// openOwn opens that connection if the server in this process is guarded.
func (b *Bridge) openOwn() (err error) {
	server := b.options.Server
	if server == nil || !server.IsGuarded() {
		return nil
	}
	config := source.Config{Began: server.Began, Intake: ownIntake, CommandContext: server.AdminContext()}
	if b.own.source, err = source.Open(server.DialOwn, config, b.options.Log.With("account", "own")); err != nil {
		return err
	}
	b.own.hub = bridge.NewHub(b.own.source, linger, bridge.Memory{Frames: bridge.DefaultMemory.Frames, Bytes: ownFrames, Total: ownFrames, Pages: ownFrames})
	return nil
}

// close also works if openOwn has failed or was not called.
func (o own) close() {
	if o.hub != nil {
		o.hub.Close()
	}
	if o.source != nil {
		o.source.Close()
	}
}

// keeper returns the source and hub that read the bridge's own bucket.
func (b *Bridge) keeper() (*source.Source, *bridge.Hub) {
	if b.own.source != nil {
		return b.own.source, b.own.hub
	}
	return b.source, b.hub
}
