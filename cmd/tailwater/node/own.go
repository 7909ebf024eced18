package node

// The bridge's own buckets, such as that of revoked tokens: where they are read.

import (
	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
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

// openOwn opens it, if the embedded server is guarded.
func (n *Node) openOwn() (err error) {
	if n.Embedded == nil || !n.Embedded.IsGuarded() {
		return nil
	}
	config := source.Config{Began: n.Embedded.Began, Intake: ownIntake, CommandContext: n.Embedded.AdminContext()}
	if n.own.source, err = source.Open(n.Embedded.DialOwn, config, n.log.With("account", "own")); err != nil {
		return err
	}
	n.own.hub = bridge.NewHub(n.own.source, linger, bridge.Memory{Frames: bridge.DefaultMemory.Frames, Bytes: ownFrames, Total: ownFrames, Pages: ownFrames})
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

// closed is source.Source.Closed; nil where there is none.
func (o own) closed() <-chan struct{} {
	if o.source == nil {
		return nil
	}
	return o.source.Closed()
}

// keeper returns where the bridge's own buckets are read.
func (n *Node) keeper() (*source.Source, *bridge.Hub) {
	if n.own.source != nil {
		return n.own.source, n.own.hub
	}
	return n.Source, n.Hub
}

// ownBuckets returns the buckets that an embedded server is to keep for the bridge alone.
func ownBuckets(settings *configs.Settings) []string {
	if !settings.Auth.SignsIn() {
		return nil
	}
	return []string{auth.RevokedBucket}
}

// AdminContext returns the path of the context that writes those buckets; "" where there is none.
func AdminContext(settings *configs.Settings) string {
	if !settings.Embedded() {
		return ""
	}
	_, admin := EmbedConfig(settings).Contexts()
	return admin
}
