package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/tailwater/tailwater/configs"
)

// notify tells systemd, where it started the process with Type=notify, what the process is doing: lines of sd_notify(3).
func (n *Node) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Warn("could not tell systemd about the state of this service", "error", err)
	}
}

// watch tells systemd in time that the process is alive, where the unit has WatchdogSec, until ctx ends. The figures pass every lock that
// carrying a message needs: if one of them is held for good, systemd hears nothing more and restarts the service.
func (n *Node) watch(ctx context.Context) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Warn("could not read what systemd expects of its watchdog", "error", err)
	}
	if interval <= 0 {
		return
	}
	beat := time.NewTicker(interval / 2)
	defer beat.Stop()
	for {
		n.Live.Stats()
		n.notify(daemon.SdNotifyWatchdog)
		select {
		case <-beat.C:
		case <-ctx.Done():
			return
		}
	}
}

// passed returns the listener that systemd opened before the process started, and keeps open while it restarts: clients that come
// meanwhile wait. It is nil without one. The address is that of the setting, which decides what strangers may do: so it must be true.
func passed(setting string, address configs.Address) (net.Listener, error) {
	listeners, err := activation.Listeners()
	if err != nil || len(listeners) == 0 {
		return nil, err
	}
	if len(listeners) > 1 || listeners[0] == nil {
		return nil, ErrSetting(setting, errors.New("systemd passes on something other than one socket with ListenStream; give the socket's unit one only"))
	}
	if found := listeners[0].Addr(); !isAt(found, address) {
		return nil, ErrSetting(setting, fmt.Errorf("systemd listens on %s instead of %s; write the same address into both", found, address))
	}
	return listeners[0], nil
}

// isAt reports whether a listener has the port of an address, and is for this machine only where the address is.
func isAt(found net.Addr, address configs.Address) bool {
	tcp, ok := found.(*net.TCPAddr)
	if !ok {
		return false
	}
	_, port, err := net.SplitHostPort(string(address))
	return err == nil && port == strconv.Itoa(tcp.Port) && tcp.IP.IsLoopback() == configs.Loopback(string(address))
}
