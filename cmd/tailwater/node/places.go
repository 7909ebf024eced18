package node

import (
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

// FewConnections is fewer than an operator expects of a bridge whose limit was not set.
const FewConnections = 1000

// IsUnexpected reports whether an operator should be told that connections are held below the limit that was asked for.
func IsUnexpected(asked, held int, isSet bool) bool {
	return held < asked && (isSet || held < FewConnections)
}

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
	if IsUnexpected(limit.Connections, most, n.Settings.IsSet("LIMIT_CONNECTIONS")) {
		n.log.Warn("TAILWATER_LIMIT_CONNECTIONS is more than the file descriptors of this process allow; it is held below them",
			"limit", limit.Connections, "held_to", most, "descriptors", Descriptors(), "remedy", "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd)")
	}
	return most
}
