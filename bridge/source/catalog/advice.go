package catalog

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// explanation collects holdings.
type explanation struct {
	table    *Table
	readable []bridge.Subject
	holdings []Holding
	said     map[string]bool // problems
}

// find adds a finding, unless it was reported before.
func (e *explanation) find(h *Holding, problem, remedy string) {
	e.add(h, Finding{Problem: problem, Remedy: remedy})
}

// refused adds a finding about a refusal of NATS.
func (e *explanation) refused(h *Holding, problem, remedy string) {
	e.add(h, Finding{Problem: problem, Remedy: remedy, Refused: true})
}

func (e *explanation) add(h *Holding, f Finding) {
	if !e.said[f.Problem] {
		e.said[f.Problem] = true
		h.Findings = append(h.Findings, f)
	}
}

// permitted adds a finding if an action is refused.
func (e *explanation) permitted(h *Holding, what string, refused []string) {
	if len(refused) > 0 {
		e.refused(h, "NATS does not let this bridge "+what, "allow its user to "+strings.Join(refused, " and to "))
	}
}

// bucketOf returns the bucket whose keys a filter names; "" if it does not name one bucket.
func bucketOf(filter bridge.Subject) string {
	tokens := strings.SplitN(string(filter), ".", 3)
	if len(tokens) < 3 || tokens[0] != "$KV" || !bucketForm.MatchString(tokens[1]) {
		return ""
	}
	return tokens[1]
}

// bucketForm is the form of a bucket's name (ADR-8).
var bucketForm = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// widen returns how to make a stream hold all of filter; "" if that takes more than one step.
func (e *explanation) widen(s *Stream, filter bridge.Subject) string {
	if filter.Reserved() {
		return "" // a bucket that holds other subjects is not a bucket any more
	}
	subjects := []string{string(filter)}
	for _, subject := range s.Info.Config.Subjects {
		switch {
		case filter.Covers(bridge.Subject(subject)):
		case filter.Overlaps(bridge.Subject(subject)):
			return "" // JetStream refuses overlapping subjects within one stream, too
		default:
			subjects = append(subjects, subject)
		}
	}
	slices.Sort(subjects)
	switch {
	case slices.ContainsFunc(subjects, func(s string) bool { return strings.Contains(s, ",") || reachesNATS(s) }):
		return "" // the nats command would split one, or JetStream refuse it
	case e.own(s) != nil && slices.ContainsFunc(e.table.config.History.Subjects, func(kept bridge.Subject) bool { return kept.Covers(filter) }):
		return "" // the stream differs from the settings; ownStream reports that
	case e.own(s) != nil:
		for _, keep := range e.table.keep {
			if keep.Stream != s.Name() {
				subjects = append(subjects, keep.subjects()...)
			}
		}
		slices.Sort(subjects)
		return "set TAILWATER_HISTORY=" + js.Quote(strings.Join(subjects, ","))
	}
	return e.table.api.Edit(s.Name(), "--subjects="+strings.Join(subjects, ","))
}

// own returns the settings of a stream of Tailwater's own; nil if the stream is another.
func (e *explanation) own(s *Stream) *History {
	for i, keep := range e.table.keep {
		if len(keep.Subjects) > 0 && keep.Stream == s.Name() {
			return &e.table.keep[i]
		}
	}
	return nil
}

// inspect records the problems of a stream.
func (e *explanation) inspect(h *Holding, s *Stream) {
	config := &s.Info.Config
	edit := func(flags ...string) string { return e.table.api.Edit(config.Name, flags...) }
	switch {
	case config.Retention == jetstream.InterestPolicy:
		e.find(h, h.Why, edit("--retention=limits"))
	case config.NoAck:
		remedy := edit("--ack")
		if slices.ContainsFunc(config.Subjects, reachesNATS) {
			remedy = "let it take none of the subjects of NATS itself ($JS, $SYS), which > and a first * include; then it can acknowledge"
		}
		e.find(h, h.Why, remedy)
	case config.SubjectTransform != nil:
		e.find(h, h.Why, edit("--no-transform"))
	}
	if h.Stream == "" {
		return
	}
	if !config.AllowDirect {
		e.find(h, "the stream "+config.Name+" does not allow direct get, with which history is read fast and from any replica", edit("--allow-direct"))
	}
	if config.Sealed && e.own(s) == nil {
		e.find(h, "the stream "+config.Name+" is sealed: nothing new is stored, and nothing new reaches browsers", "")
	}
	if !config.Sealed && max(config.MaxAge, 0) == 0 && config.MaxBytes <= 0 && config.MaxMsgs <= 0 && config.MaxMsgsPerSubject <= 0 {
		remedy := edit("--max-age=" + duration(max(30*24*time.Hour, config.Duplicates)))
		if own := e.own(s); own != nil {
			remedy = "set TAILWATER_HISTORY_MAX_AGE or " + own.size
		}
		e.find(h, "the stream "+config.Name+" has no limit; when it has filled the disk, JetStream stops", remedy)
	}
}

// reachesNATS reports whether JetStream refuses a subject to a stream that acknowledges: the stream would store its own answers.
func reachesNATS(subject string) bool {
	return slices.ContainsFunc([]bridge.Subject{"$JS.>", "$JSC.>", "$NRG.>", "$SYS.>"}, bridge.Subject(subject).Overlaps)
}
