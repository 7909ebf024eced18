package load

// order tracks the sequences on one connection.
type order struct {
	highest uint32
	missing uint32 // below the highest
	seen    uint64 // which of the highest 64 sequences arrived; the lowest bit is the highest sequence
}

// kind says how a sequence fits into the order.
type kind uint8

const (
	next kind = iota
	ahead
	late
	duplicate
)

// take returns the kind of a sequence, and by how much the highest grew.
func (o *order) take(seq uint32) (is kind, moved uint32) {
	if seq > o.highest {
		moved = seq - o.highest
		o.highest = seq
		o.missing += moved - 1
		o.seen = o.seen<<moved | 1
		if moved > 1 {
			return ahead, moved
		}
		return next, moved
	}
	behind := o.highest - seq
	bit := uint64(1) << behind
	switch {
	case o.seen&bit != 0, o.missing == 0: // a sequence below the remembered ones counts as late if any is missing
		return duplicate, 0
	default:
		o.seen |= bit
		o.missing--
		return late, 0
	}
}

// received returns how many different sequences arrived.
func (o *order) received() uint32 { return o.highest - o.missing }
