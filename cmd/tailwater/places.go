package main

import (
	"net/http"

	"github.com/tailwater/tailwater/bridge/outlet"
	"github.com/tailwater/tailwater/configs"
)

// Descriptors that connections of browsers leave to the rest: the streams' files, NATS, the event loops, the other listeners.
const (
	reservedDescriptors = 64
	reservedShare       = 8 // of all there are
	mostReserved        = 4096
)

// fewConnections is fewer than an operator expects of a bridge whose limit was not set.
const fewConnections = 1000

// adminConnections is how many the listener for probes and metrics may have.
const adminConnections = 16

// heldConnections gives how many connections of browsers there may be with so many descriptors: as the setting says, or as many as
// they allow.
func heldConnections(asked, descriptors int) int {
	reserve := reservedDescriptors + min(descriptors/reservedShare, mostReserved)
	return min(asked, outlet.RoomFor(descriptors-reserve))
}

// isUnexpected reports whether an operator should be told that connections are held below the limit that was asked for.
func isUnexpected(asked, held int, isSet bool) bool {
	return held < asked && (isSet || held < fewConnections)
}

// openPlaces counts the connections of browsers.
func (n *node) openPlaces() {
	limit := n.settings.Limit
	most := heldConnections(limit.Connections, descriptors())
	if isUnexpected(limit.Connections, most, n.settings.IsSet("LIMIT_CONNECTIONS")) {
		n.log.Warn("TAILWATER_LIMIT_CONNECTIONS is more than the file descriptors of this process allow; it is held below them",
			"limit", limit.Connections, "held_to", most, "descriptors", descriptors(), "remedy", "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd)")
	}
	n.places = outlet.NewPlaces(outlet.Room{
		All: most, Each: int(limit.ConnectionsPerIP), Proxies: n.settings.HTTP.TrustedProxies, Log: n.log,
	})
}

// places says how many of them there may be.
func (r report) places(settings *configs.Settings) {
	limit, allowed := settings.Limit, descriptors()
	most := heldConnections(limit.Connections, allowed)
	switch {
	case most == limit.Connections:
		r.row("", "up to %d connections at once", most)
	case settings.IsSet("LIMIT_CONNECTIONS"):
		r.row("", "! up to %d connections at once, not TAILWATER_LIMIT_CONNECTIONS: this process may have %d file descriptors (ulimit -n)", most, allowed)
	default:
		r.row("", "up to %d connections at once, as this process may have %d file descriptors (ulimit -n)", most, allowed)
	}
	if limit.ConnectionsPerIP > 0 {
		r.row("", "one address may have %d of them", limit.ConnectionsPerIP)
	}
}

// counted lets a server know what its connections hold.
func counted(server *http.Server, places *outlet.Places) {
	server.Handler = places.Handler(server.Handler)
	server.ConnContext = outlet.ConnContext
}
