package live

import (
	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
)

// own is the way to the account of the bridge's own buckets, where there is one: what callers read and write is in another.
type own struct {
	source *source.Source
	hub    *bridge.Hub
}

// What its messages may hold: the keys of a few buckets, which nobody but the bridge reads.
const (
	ownIntake = 4 << 20
	ownFrames = 1 << 20
)

// openOwn opens it, if a server in this process is guarded.
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

// close works on what was opened in part, or not at all.
func (o own) close() {
	if o.hub != nil {
		o.hub.Close()
	}
	if o.source != nil {
		o.source.Close()
	}
}

// keeper returns where the bridge's own buckets are read.
func (b *Bridge) keeper() (*source.Source, *bridge.Hub) {
	if b.own.source != nil {
		return b.own.source, b.own.hub
	}
	return b.source, b.hub
}
