package source

// HoldDelivery stops the delivering goroutine until release is called, as a starved processor would.
func (s *Source) HoldDelivery() (release func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// IncomingBuffer is how many messages may wait for delivery.
const IncomingBuffer = incomingBuffer
