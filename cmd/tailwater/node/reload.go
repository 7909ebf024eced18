package node

import (
	"context"

	"github.com/coreos/go-systemd/v22/daemon"
)

// reload reads again what can change while connections stay open, after a SIGHUP, and logs the result. Anything invalid leaves everything
// unchanged.
func (n *Node) reload(ctx context.Context) {
	n.notify(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	defer n.notify(daemon.SdNotifyReady)
	if n.certificate != nil {
		until, err := n.certificate.reload()
		n.tell("read the TLS certificate again", err, "the old certificate stays", "valid_until", until)
	}
	if n.Settings.Auth.JwksURL != "" {
		keys, err := n.Live.ReadKeySet(ctx)
		n.tell("read the key set of tokens again", err, "the old keys stay", "url", n.Settings.Auth.JwksURL, "keys", keys)
	}
	if n.Embedded != nil && n.Settings.Embed.Config != "" {
		err := n.Embedded.Reload()
		n.tell("read the configuration of the embedded NATS server again", err, "the server stays as it is; some changes need a restart", "file", n.Settings.Embed.Config)
	}
	if s := n.Settings.NATS; s.Creds+s.TLS.CA+s.TLS.Cert != "" {
		n.log.Info("the files of TAILWATER_NATS_CREDS and _NATS_TLS_… are read at each connection to NATS")
	}
	n.log.Info("SIGHUP: browsers stay connected; changes of TAILWATER_… settings need a restart")
}

// tell logs that something was read, or that reading failed, and the consequence.
func (n *Node) tell(what string, err error, otherwise string, values ...any) {
	if err != nil {
		n.log.Error("could not: "+what+"; "+otherwise, "error", err)
		return
	}
	n.log.Info(what, values...)
}
