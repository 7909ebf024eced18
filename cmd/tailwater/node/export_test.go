package node

import "github.com/tailwater/tailwater/configs"

// GiveBack is giveBack.
var GiveBack = giveBack

// Parts is what memory is divided into.
type Parts struct {
	Frames, Pages, Bodies, Intake int64
	Total, HubPages, HubFrames    int
}

// Divide is divide.
func Divide(memory configs.Budget) Parts {
	p := divide(memory)
	feeds := p.feeds()
	return Parts{p.frames, p.pages, p.bodies, p.intake, feeds.Total, feeds.Pages, feeds.Frames}
}
