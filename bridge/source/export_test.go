package source

import "time"

// HoldDelivery stops the delivering goroutine until release is called, like a starved processor.
func (s *Source) HoldDelivery() (release func()) {
	s.mu.Lock()
	return s.mu.Unlock
}

// HoldTake stops the goroutine that empties nats.go's channel until release is called.
func (s *Source) HoldTake() (release func()) {
	s.intake.mu.Lock()
	return s.intake.mu.Unlock
}

// SetIntakeBudget sets how many bytes may wait for delivery.
func (s *Source) SetIntakeBudget(bytes int64) {
	s.intake.mu.Lock()
	defer s.intake.mu.Unlock()
	s.intake.budget = bytes
}

// Intake returns how many bytes wait for delivery, and how many messages were lost for want of room.
func (s *Source) Intake() (held int64, lost int) {
	s.intake.mu.Lock()
	defer s.intake.mu.Unlock()
	for _, n := range s.intake.lost {
		lost += n
	}
	return s.intake.held.Load(), lost
}

// MessageCost is a message's size in memory beside its subject and payload.
const MessageCost = messageCost

// IncomingBuffer is the capacity of nats.go's channel, in messages.
const IncomingBuffer = incomingBuffer

// NewAbsence, Remind and others open what logs that NATS is away.
var NewAbsence = newAbsence

func (a *absence) Begin(err error)     { a.begin(err) }
func (a *absence) Failed(err error)    { a.failed(err) }
func (a *absence) Remind(err error)    { a.remind(err) }
func (a *absence) End() time.Duration  { return a.end() }
func (a *absence) LastLost() time.Time { return a.lastLost() }
