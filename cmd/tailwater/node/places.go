package node

import (
	"context"
	"log/slog"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// Descriptors that connections of browsers leave to the rest: the streams' files, NATS, the event loops, the other listeners.
const (
	reservedDescriptors = 64
	reservedShare       = 8 // of all there are
	mostReserved        = 4096
)

// adminConnections is how many the listener for probes and metrics may have.
const adminConnections = 16

// HeldConnections returns how many connections of browsers there may be with so many descriptors: as the setting says, or as many as
// they allow.
func HeldConnections(asked, descriptors int) int {
	reserve := reservedDescriptors + min(descriptors/reservedShare, mostReserved)
	return min(asked, outlet.RoomFor(descriptors-reserve))
}

// heldConnections returns how many connections of browsers there may be. It logs where that is less than the setting.
func (n *Node) heldConnections() int {
	limit := n.Settings.Limit
	most := HeldConnections(limit.Connections, Descriptors())
	if most < limit.Connections {
		level := slog.LevelInfo
		if n.Settings.IsSet("LIMIT_CONNECTIONS") {
			level = slog.LevelWarn
		}
		n.log.Log(context.Background(), level, "TAILWATER_LIMIT_CONNECTIONS is more than the file descriptors of this process allow; it is held below them", "limit", limit.Connections, "held_to", most, "descriptors", Descriptors())
	}
	return most
}
