package node

import "github.com/tailwater/tailwater/bridge/sockets"

// Descriptors that connections of browsers leave free for the rest: files of streams, NATS, event loops, other listeners.
const (
	reservedDescriptors = 64
	reservedShare       = 8 // one descriptor of so many
	mostReserved        = 4096
)

// adminConnections is how many connections the listener for probes and metrics may have.
const adminConnections = 16

// FewConnections is fewer than an operator expects from a bridge without a configured limit.
const FewConnections = 1000

// IsUnexpected reports whether to tell the operator that the limit of connections is lower than asked for.
func IsUnexpected(asked, held int, isSet bool) bool {
	return held < asked && (isSet || held < FewConnections)
}

// HeldConnections returns how many connections of browsers may be open with so many descriptors: the setting, or fewer.
func HeldConnections(asked, descriptors int) int {
	reserve := reservedDescriptors + min(descriptors/reservedShare, mostReserved)
	return min(asked, sockets.PlacesFor(descriptors-reserve))
}

// heldConnections returns how many connections of browsers may be open. It logs if that is less than the setting.
func (n *Node) heldConnections() int {
	limit := n.Settings.Limit
	most := HeldConnections(limit.Connections, Descriptors())
	if IsUnexpected(limit.Connections, most, n.Settings.IsSet("LIMIT_CONNECTIONS")) {
		n.log.Warn("TAILWATER_LIMIT_CONNECTIONS is more than the file descriptors of this process allow; a lower limit is used",
			"limit", limit.Connections, "held_to", most, "descriptors", Descriptors(), "remedy", "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd)")
	}
	return most
}
