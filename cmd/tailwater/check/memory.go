package check

import (
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// memory prints the memory settings beside the memory of the machine.
func (r report) memory(settings *configs.Settings) {
	machine := settings.Machine
	of := "the machine has " + node.OrNone(machine.Total)
	if machine.Container > 0 {
		of = "the container is limited to " + node.OrNone(machine.Container)
	}
	r.row("memory", "%v for events, pages of history and bodies; %s", settings.Memory, of)
	if limit := node.GoLimit(); limit > 0 {
		r.row("", "GOMEMLIMIT is %s", node.OrNone(limit))
	} else if share := machine.ForGo(); share > 0 {
		r.row("", "Go is limited to %s", node.OrNone(share))
	}
}
