package load

// order follows the sequences that one connection brings.
type order struct {
	highest uint32
	missing uint32 // below the highest
	seen    uint64 // which of the 64 sequences from the highest downwards came; the lowest bit is the highest sequence
}

// kind is what a sequence is in its order.
type kind uint8

const (
	next kind = iota
	ahead
	late
	duplicate
)

// take gives what a sequence is, and how many the highest moved on.
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
	case o.seen&bit != 0, o.missing == 0: // what is further behind than is remembered is late if anything is missing
		return duplicate, 0
	default:
		o.seen |= bit
		o.missing--
		return late, 0
	}
}

// received is how many different sequences came.
func (o *order) received() uint32 { return o.highest - o.missing }
