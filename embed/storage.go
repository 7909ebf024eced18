package embed

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/dustin/go-humanize"
)

// excess is how much the streams hold in files, and may hold, if they hold more. Then JetStream accepts no message for any of them.
//
// Unless the file of the configuration sets a limit, nats-server sets one at its start: three quarters of what is free on the disk and of what
// its streams hold. It never raises it. So a server that was started on a full disk accepts no message, even after files were removed.
type excess struct {
	used  uint64
	limit int64
}

// measure notes whether the streams hold more than they may. It asks for the server's own counts: Jsz would ask each stream, which waits for a
// disk that hangs.
func (i *instance) measure() {
	var over *excess
	if info, err := i.Varz(nil); err == nil && info.JetStream.Config != nil && info.JetStream.Stats != nil {
		used, limit := info.JetStream.Stats.Store, info.JetStream.Config.MaxStore
		if used > uint64(max(0, limit)) {
			over = &excess{used, limit}
		}
	}
	i.excess.Store(over)
}

func (e *excess) String() string {
	return fmt.Sprintf("its streams hold %s in files, and JetStream's limit is %s", humanize.IBytes(e.used), humanize.IBytes(uint64(max(0, e.limit))))
}

// errLimit means that JetStream has the limit that the configuration sets.
var errLimit = errors.New("max_file_store is reached")

// lacks returns why another start would not help against an excess; nil if there is none, or it would.
func (i *instance) lacks(dir string) error {
	over := i.excess.Load()
	switch {
	case over == nil:
		return nil
	case i.isLimited:
		return errLimit
	}
	free, err := diskFree(dir)
	if err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	if next := free/4*3 + over.used/4*3; next < over.used+probeFiles*probeBytes {
		return fmt.Errorf("%w: JetStream takes at most three quarters of what is free and of what its streams hold, which is now %s", syscall.ENOSPC, humanize.IBytes(next))
	}
	return nil
}
