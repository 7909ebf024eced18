package runs

// Stats is what Runs has done, and has.
type Stats struct {
	Open    int    // runs that this bridge has asked, and that have not ended
	Asked   uint64 // questions that reached a responder
	Unheard uint64 // questions that reached none
	Ended   uint64 // runs of this bridge that are complete
	Failed  uint64 // runs of this bridge that ended with an error, silence included
	Silent  uint64 // runs that were ended because nobody answered
	Stopped uint64 // requests to stop
	Replied uint64 // answers to queries of whoever answers
}

// Stats returns the present counts.
func (r *Runs) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// count adds one to a field of stats.
func (r *Runs) count(field *uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*field++
}
