package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// own is the state of a stream of Tailwater's own: why it is missing, or not as the settings ask.
type own struct {
	problem string // "" if there is none
	remedy  string
	missing bool // it does not exist, or lacks an explicit setting
	settled bool // JetStream has decided
	spare   bool // missing for want of room or a permission, or because another's stream has its name: its subjects may stay in the first stream
}

// ensure makes Tailwater's own streams, or changes them to the settings. Problems that another attempt cannot solve are logged and
// recorded; the error means that JetStream did not answer.
func (t *Table) ensure(ctx context.Context) error {
	if len(t.config.History.Subjects) == 0 {
		return nil
	}
	if t.config.History.isManaged() && len(t.keep) > 1 {
		if err := t.release(ctx); err != nil && !isVerdict(err) {
			return err
		}
	}
	for i, keep := range t.keep {
		result, err := t.ensureStream(ctx, keep)
		if err == nil && i > 0 && result.spare && keep.Shrinks {
			result, err = t.together(ctx, result)
		}
		if err != nil {
			return err
		}
		if result.problem != "" {
			t.log.Warn(result.problem, "remedy", result.remedy)
		}
		result.settled = true
		t.mu.Lock()
		t.own[i] = result
		t.mu.Unlock()
	}
	return nil
}

// together keeps all subjects in the first stream, because there cannot be another: with little room, or in an account that limits its
// streams, answers can push out other messages, which is better than no bridge.
func (t *Table) together(ctx context.Context, apart own) (own, error) {
	whole := t.config.History
	whole.Apart, whole.size = Apart{}, historySize
	result, err := t.ensureStream(ctx, whole)
	if err != nil || result.missing {
		return apart, err
	}
	apart.missing = false
	apart.problem += "; the stream " + whole.Stream + " keeps its subjects, too"
	return apart, nil
}

// ensureStream makes a stream, or changes it. The error means that JetStream did not answer.
func (t *Table) ensureStream(ctx context.Context, keep History) (own, error) {
	if len(keep.Subjects) == 0 {
		return own{}, nil
	}
	result, err := t.ensureOwn(ctx, keep)
	switch {
	case err == nil:
		return result, nil
	case errors.Is(err, bridge.ErrRefused):
		return own{problem: fmt.Sprintf("NATS does not let this bridge make the stream %s", keep.Stream), remedy: t.allow(), missing: true, spare: true}, nil
	case js.Code(err) == js.CodeOverlap:
		return t.outdone(ctx, keep)
	case isVerdict(err), errors.Is(err, errForeign):
		return keep.cannotBe(err), nil
	default:
		return own{}, err
	}
}

// cannotBe returns the state of a stream that cannot be made, or cannot be as the settings ask.
func (h History) cannotBe(err error) own {
	return own{
		problem: fmt.Sprintf("the stream %s cannot be as the settings ask: %v", h.Stream, err),
		remedy:  h.remedyFor(err),
		missing: !errors.Is(err, errStays),
		spare:   lacksStorage(err) || js.Code(err) == js.CodeTooManyStreams || errors.Is(err, errForeign),
	}
}

// errStays means that the stream is unchanged after a refusal, and lacks no explicit setting.
var errStays = errors.New("it stays as it was")

// errForeign means that a stream of that name exists, and is not Tailwater's.
var errForeign = errors.New("a stream of this name exists, and Tailwater has not made it")

// remedyFor returns how to change the setting behind a refusal.
func (h History) remedyFor(err error) string {
	code := js.Code(err)
	switch {
	case lacksStorage(err):
		return "lower " + h.size + ", which JetStream sets aside at once and for each replica, or " + h.moreStorage()
	case code == js.CodeBytesRequired:
		return "set " + h.size
	case code == js.CodeTooManyStreams:
		return "allow the account one more stream (max_streams)"
	case errors.Is(err, errForeign):
		return "set TAILWATER_HISTORY_STREAM to another name"
	case code == js.CodeNoReplicas, code == js.CodeNoPeers:
		return "lower TAILWATER_HISTORY_REPLICAS to the number of servers that have JetStream"
	default:
		return ""
	}
}

func (h History) moreStorage() string {
	switch {
	case !h.Manage:
		return "give JetStream, or the account, more room"
	case h.Memory:
		return "give the machine more memory: JetStream takes at most three quarters of it"
	default:
		return "free disk space at TAILWATER_EMBED_DIR: JetStream takes at most three quarters of what is free"
	}
}

func (t *Table) ensureOwn(ctx context.Context, keep History) (own, error) {
	var info jetstream.StreamInfo
	err := t.api.Call(ctx, js.AskInfo+keep.Stream, nil, &info)
	switch {
	case isNotFound(err) && keep.Look:
		return own{}, nil
	case isNotFound(err):
		return keep.fit(leastBytes, func(keep History) (own, error) { return own{}, t.make(ctx, keep) })
	case err != nil:
		return own{}, err
	case keep.isApart && !isOurs(&info.Config):
		return own{}, errForeign
	case keep.isManaged():
		return t.update(ctx, keep, info.Config)
	default:
		return keep.compare(&info, t.api), nil
	}
}

// leastBytes is the size of the smallest stream made if there is little room.
const leastBytes = 16 << 20

// fit calls do with the settings. If there is no room for a default MaxBytes, it tries half, and half again, down to least, and
// reports the smaller size.
func (h History) fit(least int64, do func(History) (own, error)) (own, error) {
	keep := h
	result, err := do(keep)
	for lacksStorage(err) && h.Shrinks && keep.MaxBytes > least {
		keep.MaxBytes = max(keep.MaxBytes/2, least)
		result, err = do(keep)
	}
	if err == nil && keep.MaxBytes < h.MaxBytes && result.problem == "" {
		result.problem = fmt.Sprintf("there is no room for a stream of %s, as %s is by default; the stream %s keeps at most %s",
			humanize.IBytes(uint64(h.MaxBytes)), h.size, h.Stream, humanize.IBytes(uint64(keep.MaxBytes)))
		result.remedy = "set " + h.size + " to what is enough, or " + h.moreStorage()
	}
	return result, err
}

// make makes the stream with these settings. JetStream refuses it if another stream holds some of the subjects.
func (t *Table) make(ctx context.Context, keep History) error {
	config := keep.applyTo(jetstream.StreamConfig{
		Name: keep.Stream, Description: description, Storage: jetstream.FileStorage,
		MaxMsgs: -1, MaxConsumers: -1, MaxMsgSize: -1,
	})
	if keep.Memory {
		config.Storage = jetstream.MemoryStorage
	}
	if err := t.api.Call(ctx, js.AskCreate+keep.Stream, config, nil); err != nil {
		return err
	}
	t.log.Info("made the stream "+keep.Stream, "subjects", keep.Subjects)
	return nil
}

// outdone reports that other streams hold the subjects. These streams are used as they are.
func (t *Table) outdone(ctx context.Context, keep History) (own, error) {
	others := map[string]bool{}
	var free []string
	for _, subject := range t.config.History.Subjects {
		if !slices.Contains(keep.Subjects, subject) {
			free = append(free, string(subject)) // it belongs to another stream of Tailwater's own
			continue
		}
		found, err := t.List(ctx, subject)
		if err != nil {
			return own{}, err
		}
		found = slices.DeleteFunc(found, func(name string) bool { return name == keep.Stream })
		for _, name := range found {
			others[name] = true
		}
		if len(found) == 0 {
			free = append(free, string(subject))
		}
	}
	holding := strings.Join(slices.Sorted(maps.Keys(others)), ", ")
	result := own{
		problem: fmt.Sprintf("the stream %s cannot have the subjects of TAILWATER_HISTORY: %s holds some of them already, and is used as it is", keep.Stream, holding),
		remedy:  "set TAILWATER_HISTORY to what is left: " + js.Quote(strings.Join(free, ",")),
	}
	return result, nil
}

// update changes the stream to the settings. If there is no room for a default MaxBytes, the stream keeps its size: a smaller one
// would lose messages.
func (t *Table) update(ctx context.Context, keep History, config jetstream.StreamConfig) (own, error) {
	least := max(config.MaxBytes, 0)
	if least == 0 || least > keep.MaxBytes {
		least = keep.MaxBytes
	}
	result, err := keep.fit(least, func(keep History) (own, error) { return t.change(ctx, keep, config) })
	if lacksStorage(err) && keep.Shrinks {
		err = fmt.Errorf("%w: %w", errStays, err)
	}
	return result, err
}

// change updates the stream to these settings. Fields without a setting keep their values. nats.go knows every field of the
// embedded server, the only one whose stream is updated.
func (t *Table) change(ctx context.Context, keep History, config jetstream.StreamConfig) (own, error) {
	flags, fixed := keep.differences(&config)
	if len(flags) == 0 {
		return fixed, nil
	}
	if err := t.api.Call(ctx, js.AskUpdate+keep.Stream, keep.applyTo(config), nil); err != nil {
		return own{}, err
	}
	t.log.Info("brought the stream "+keep.Stream+" to the settings", "changed", flags)
	return fixed, nil
}

// release makes streams of Tailwater's own give up the subjects that another of them shall hold, because JetStream refuses
// overlaps: an earlier version, or earlier settings, may have kept them elsewhere. A stream without subjects gives up all. Stored
// messages stay where they are.
func (t *Table) release(ctx context.Context) error {
	for i, keep := range t.keep {
		var info jetstream.StreamInfo
		switch err := t.api.Call(ctx, js.AskInfo+keep.Stream, nil, &info); {
		case isNotFound(err):
			continue
		case err != nil:
			return err
		}
		if keep.isApart && !isOurs(&info.Config) {
			continue
		}
		config := info.Config
		config.Subjects = slices.DeleteFunc(slices.Clone(config.Subjects), func(held string) bool { return t.belongsElsewhere(bridge.Subject(held), i) })
		if len(config.Subjects) == 0 {
			config.Subjects = []string{config.Name} // every stream has a subject
		}
		if slices.Equal(config.Subjects, info.Config.Subjects) {
			continue
		}
		if err := t.api.Call(ctx, js.AskUpdate+keep.Stream, config, nil); err != nil {
			return err
		}
		t.log.Info("the stream "+keep.Stream+" has given up subjects; their stored messages stay in it", "had", info.Config.Subjects, "has", config.Subjects)
	}
	return nil
}

// belongsElsewhere reports whether the i-th stream must give up a subject.
func (t *Table) belongsElsewhere(held bridge.Subject, i int) bool {
	if len(t.keep[i].Subjects) == 0 {
		return true
	}
	for other, keep := range t.keep {
		if other != i && slices.ContainsFunc(keep.Subjects, held.Overlaps) {
			return true
		}
	}
	return false
}
