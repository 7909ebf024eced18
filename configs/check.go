package configs

import (
	"slices"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// check refuses settings that contradict each other, would be ignored silently, or would be unsafe.
func (p *problems) check(s *Settings) {
	p.checkExposure(s)
	p.checkListeners(s)
	p.checkNATS(s)
	p.checkAuth(s)
	p.checkFiles(s)
	p.checkEmbedConfig(s)
	p.checkCertificate(s)
	p.checkHistory(s)
	p.checkAnswers(s)
	p.checkNumbers(s)
}

// checkNATS refuses settings for one kind of server if the other kind is used: they would be ignored silently.
func (p *problems) checkNATS(s *Settings) {
	if s.IsSet("NATS_URL") && s.IsSet("NATS_CONTEXT") {
		p.refuse("NATS_CONTEXT", "it cannot be used together with %s_NATS_URL; remove one of them", Prefix)
	}
	if s.IsSet("NATS_CREDS") && s.IsSet("NATS_NKEY") {
		p.refuse("NATS_NKEY", "it cannot be used together with %s_NATS_CREDS; remove one of them", Prefix)
	}
	p.together(s, "NATS_TLS_CERT", "NATS_TLS_KEY")
	for _, l := range leaves(s) {
		switch {
		case !s.IsSet(l.name):
		case s.external() && strings.HasPrefix(l.name, "EMBED_"):
			p.refuse(l.name, "it is for the embedded server, which does not run together with %s_NATS_URL or _NATS_CONTEXT; remove one of them", Prefix)
		case !s.external() && strings.HasPrefix(l.name, "NATS_TLS_"):
			p.refuse(l.name, "the bridge reaches the embedded server within the process, without TLS; set %s_NATS_URL, or remove it", Prefix)
		case !s.external() && l.name == "NATS_JS_DOMAIN":
			p.refuse(l.name, "the embedded server's own JetStream is used; set %s_NATS_URL or _NATS_CONTEXT, or remove it", Prefix)
		case !s.external() && !s.IsSet("EMBED_CONFIG") && (l.name == "NATS_CREDS" || l.name == "NATS_NKEY"):
			p.refuse(l.name, "the bridge signs in to no server; set %s_NATS_URL, or %s_EMBED_CONFIG with authorization, or remove it", Prefix, Prefix)
		}
	}
}

// checkHistory refuses what JetStream cannot do, and settings of a stream that is not kept.
func (p *problems) checkHistory(s *Settings) {
	switch alone := !s.external() && !s.IsSet("EMBED_CONFIG"); {
	case s.HistoryReplicas < 1 || s.HistoryReplicas > maxReplicas:
		p.refuse("HISTORY_REPLICAS", "%d is out of range; write 1 to %d", s.HistoryReplicas, maxReplicas)
	case s.HistoryReplicas > 1 && alone:
		p.refuse("HISTORY_REPLICAS", "the embedded server is a single server and holds one copy; write 1, or set %s_EMBED_CONFIG to a file that names its cluster", Prefix)
	}
	for i, kept := range s.History {
		for _, other := range s.History[:i] {
			if kept.Overlaps(other) {
				p.refuse("HISTORY", "%q and %q overlap, which a stream does not accept; keep one of them, or one filter that covers both", other, kept)
			}
		}
	}
	if len(s.History) > 0 || p.broken["HISTORY"] {
		return
	}
	for _, l := range leaves(s) {
		isForMembers := l.name == "HISTORY_REPLICAS" && len(s.Presence) > 0 // it holds for their bucket as well
		if strings.HasPrefix(l.name, "HISTORY_") && s.IsSet(l.name) && !isForMembers {
			p.refuse(l.name, "nothing is kept; set %s_HISTORY to the subjects to keep, or remove it", Prefix)
		}
	}
}

// checkAnswers refuses to open the answers to questions to anybody but their askers.
func (p *problems) checkAnswers(s *Settings) {
	if s.AnswersSilence <= 0 {
		p.refuse("ANSWERS_SILENCE", "%v is too short; it must be more than 0", s.AnswersSilence)
	}
	if p.broken["ANSWERS"] {
		return
	}
	p.checkAnswersKept(s)
	if s.Answers == "" {
		if i := slices.IndexFunc(s.Routes, bridge.Route.Asks); i >= 0 {
			p.refuse("ANSWERS", "it is empty, but %q needs subjects for answers; give it a word, such as answers, or remove the route", s.Routes[i])
		}
		return
	}
	const advice = "reaches the answers to questions (%s_ANSWERS=%s), which only their askers read; remove it, or set %s_ANSWERS to another word, or to nothing if no bridge asks"
	for name, open := range map[string]Subjects{"ANONYMOUS_SUBSCRIBE": s.Anonymous.Subscribe, "ANONYMOUS_PUBLISH": s.Anonymous.Publish} {
		if i := slices.IndexFunc(open, s.Answers.begins); i >= 0 {
			p.refuse(name, "%q "+advice, open[i], Prefix, s.Answers, Prefix)
		}
	}
	for _, route := range s.Routes {
		if s.Answers.begins(route.Filter()) {
			p.refuse("ROUTES", "%q "+advice, route, Prefix, s.Answers, Prefix)
		}
	}
}

// checkAnswersKept refuses a size of a stream that does not exist.
func (p *problems) checkAnswersKept(s *Settings) {
	switch {
	case !s.IsSet("ANSWERS_MAX_BYTES"):
	case s.external():
		p.refuse("ANSWERS_MAX_BYTES", "only the embedded server keeps answers in a stream of their own; limit the stream that holds them, and remove it")
	case !p.broken["HISTORY"] && !slices.ContainsFunc(s.History, s.Answers.begins):
		p.refuse("ANSWERS_MAX_BYTES", "no answers are kept; add their subjects to %s_HISTORY, or remove it", Prefix)
	}
}

const (
	// JetStream's own limits.
	maxReplicas = 5
	minAge      = 100 * time.Millisecond
	// maxBody is the most that a NATS server buffers for one client by default before it disconnects the client: a larger message
	// could never be delivered.
	maxBody Bytes = 64 << 20
)

// checkNumbers refuses values with which nothing would work.
func (p *problems) checkNumbers(s *Settings) {
	if s.Limit.Connections < 1 {
		p.refuse("LIMIT_CONNECTIONS", "%d is too small; it must be at least 1", s.Limit.Connections)
	}
	if s.Memory < minMemory || s.Memory > maxMemory {
		p.refuse("MEMORY", "%d is out of range; write a size from %v to %v", s.Memory, minMemory, maxMemory)
	}
	switch most := s.Memory / bodiesInMemory; {
	case s.Limit.Body < 1 || s.Limit.Body > maxBody:
		p.refuse("LIMIT_BODY", "%d is out of range; write a size from 1 byte to 64MiB", s.Limit.Body)
	case s.Limit.Body > most && s.Memory >= minMemory:
		p.refuse("LIMIT_BODY", "a body of %v never fits into the memory for bodies; write at most %v, or set %s_MEMORY to at least %v", s.Limit.Body, most, Prefix, s.Limit.Body*bodiesInMemory)
	}
	if s.HistoryMaxAge != 0 && s.HistoryMaxAge < minAge {
		p.refuse("HISTORY_MAX_AGE", "%v is out of range; write at least %v, or 0s for no limit", s.HistoryMaxAge, minAge)
	}
	if !slices.Contains([]string{"file", "memory"}, s.HistoryStorage) {
		p.refuse("HISTORY_STORAGE", "%q is not a storage type; write file or memory", s.HistoryStorage)
	}
	if s.Limit.Subjects < 1 {
		p.refuse("LIMIT_SUBJECTS", "%d is too small; it must be at least 1", s.Limit.Subjects)
	}
	if s.Limit.WriteTimeout <= 0 {
		p.refuse("LIMIT_WRITE_TIMEOUT", "%v is too short; it must be more than 0", s.Limit.WriteTimeout)
	}
	if s.Limit.ConnectionAge <= 0 {
		p.refuse("LIMIT_CONNECTION_AGE", "%v is too short; it must be more than 0: write 8760h, a year, for practically no limit", s.Limit.ConnectionAge)
	}
	if s.Drain.Delay < 0 {
		p.refuse("DRAIN_DELAY", "%v is negative; write 0s for no delay", s.Drain.Delay)
	}
	if s.Drain.Window < 0 {
		p.refuse("DRAIN_WINDOW", "%v is negative; write 0s to close all connections at once", s.Drain.Window)
	}
	if !slices.Contains([]string{"", "text", "json"}, s.Log.Format) {
		p.refuse("LOG_FORMAT", "%q is not a format; write text or json", s.Log.Format)
	}
}
