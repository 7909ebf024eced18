package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/source/js"
)

// compare returns how a stream differs from the settings.
func (h History) compare(info *jetstream.StreamInfo, a js.API) own {
	config := &info.Config
	if h.Shrinks && config.MaxBytes > 0 {
		h.MaxBytes = min(h.MaxBytes, config.MaxBytes) // it was made as large as there was room for
	}
	isAlone := h.Replicas > max(config.Replicas, 1) && (info.Cluster == nil || info.Cluster.Name == "")
	wanted := h.Replicas
	if isAlone {
		h.Replicas = config.Replicas
	}
	switch flags, fixed := h.differences(config); {
	case len(flags) > 0:
		return own{
			problem: fmt.Sprintf("the stream %s is not as the settings ask, and is used as it is", h.Stream),
			remedy:  a.Edit(h.Stream, flags...),
		}
	case isAlone && fixed.problem == "":
		return own{
			problem: fmt.Sprintf("the stream %s cannot have %d replicas: its server is not part of a cluster", h.Stream, wanted),
			remedy:  "set TAILWATER_HISTORY_REPLICAS=" + strconv.Itoa(h.Replicas),
		}
	default:
		return fixed
	}
}

// differences returns what to edit so that the stream is as the settings ask, as arguments of `nats stream edit`, and what cannot
// be edited.
func (h History) differences(config *jetstream.StreamConfig) (flags []string, fixed own) {
	if why := unchangeable(config); why != "" {
		return nil, own{
			problem: fmt.Sprintf("the stream %s is %s, which JetStream cannot change, so that nothing is kept", h.Stream, why),
			remedy:  "delete the stream, with all its messages, so that the bridge can make it again; or set TAILWATER_HISTORY to nothing",
			missing: true,
		}
	}
	edit := func(differs bool, flag string) {
		if differs {
			flags = append(flags, flag)
		}
	}
	subjects := h.subjects()
	if !slices.Equal(subjects, slices.Sorted(slices.Values(config.Subjects))) {
		flags = append(flags, "--subjects="+strings.Join(subjects, ","))
	}
	limit := func(value int64) string { return strconv.FormatInt(cmp.Or(max(value, 0), -1), 10) }
	edit(config.Retention != jetstream.LimitsPolicy, "--retention=limits")
	edit(config.Discard != jetstream.DiscardOld, "--discard=old")
	edit(config.DiscardNewPerSubject, "--no-discard-per-subject")
	edit(config.MaxAge != h.MaxAge, "--max-age="+duration(h.MaxAge))
	edit(max(config.MaxBytes, 0) != h.MaxBytes, "--max-bytes="+limit(h.MaxBytes))
	edit(max(config.MaxMsgsPerSubject, 0) != h.MaxPerSubject, "--max-msgs-per-subject="+limit(h.MaxPerSubject))
	edit(config.Duplicates != h.duplicates(config), "--dupe-window="+duration(h.duplicates(config)))
	edit(config.Replicas != max(h.Replicas, 1), "--replicas="+strconv.Itoa(max(h.Replicas, 1)))
	edit(config.NoAck, "--ack")
	edit(!config.AllowDirect, "--allow-direct")
	if has := config.Storage == jetstream.MemoryStorage; has != h.Memory {
		fixed.problem = fmt.Sprintf("the stream %s has its messages in %s storage, which JetStream cannot change", h.Stream, storage(has))
		fixed.remedy = "set TAILWATER_HISTORY_STORAGE=" + storage(has)
	}
	return flags, fixed
}

// unchangeable returns why a stream can never keep a history; "" if it can.
func unchangeable(config *jetstream.StreamConfig) string {
	switch {
	case config.Sealed:
		return "sealed"
	case config.Retention == jetstream.WorkQueuePolicy:
		return "a work queue"
	case config.Mirror != nil:
		return "a mirror of another"
	default:
		return ""
	}
}

func storage(memory bool) string {
	if memory {
		return "memory"
	}
	return "file"
}

// duration returns a duration as one writes it for the nats command: without zeros at its end.
func duration(d time.Duration) string { return zeros.ReplaceAllString(d.String(), "$1") }

var zeros = regexp.MustCompile(`([hm])(0m)?0s$`)
