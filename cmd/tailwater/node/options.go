package node

import (
	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/live"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
	"github.com/tailwater/tailwater/web"
)

// options returns the bridge's options for the settings.
func (n *Node) options() (live.Options, error) {
	s := n.Settings
	options := live.Options{
		History:  History(s),
		Presence: live.Presence{Subjects: s.Presence, Replicas: s.HistoryReplicas},
		Runs:     live.Runs{Answers: string(s.Answers), Silence: s.AnswersSilence, Off: s.Answers == ""},
		Anyone:   bridge.Grant{Subscribe: s.Anonymous.Subscribe, Publish: s.Anonymous.Publish, Wildcards: s.Anonymous.Wildcards},
		Routes:   s.Routes,
		Access:   n.access(),
		Proxies:  s.HTTP.TrustedProxies,
		Limits:   n.limits(),
		Pages:    web.Client,
		Meters:   live.Meters{Delays: n.meters.delays, Posts: n.meters.posts},
		Log:      n.log,
	}
	if n.tracer != nil {
		options.Tracer = n.tracer
	}
	if s.HTTP.Pages {
		options.Pages = web.Pages(web.Anyone[bridge.Subject]{
			Subscribe: s.Anonymous.Subscribe, Publish: s.Anonymous.Publish, Wildcards: s.Anonymous.Wildcards,
			Presence: s.Presence,
			SignIn:   s.Auth.SignsIn() && s.Auth.Cookie != "",
			NATS:     n.hintCommand(),
		})
	}
	if s.Auth.SignsIn() {
		options.Tokens, options.Cookie = tokens(s.Auth), string(s.Auth.Cookie)
	}
	if n.Embedded != nil {
		options.Server = n.Embedded
		return options, nil
	}
	var err error
	options.Dial, options.API, err = External(s.NATS)
	return options, err
}

func (n *Node) limits() live.Limits {
	limit := n.Settings.Limit
	return live.Limits{
		Connections:  orNoLimit(n.heldConnections()),
		PerAddress:   orNoLimit(int(limit.ConnectionsPerIP)),
		Reads:        orNoLimit(limit.ReadRate.PerSecond()),
		Publishes:    orNoLimit(limit.PublishRate.PerSecond()),
		Runs:         orNoLimit(int(limit.Runs)),
		Body:         int64(limit.Body),
		Subjects:     limit.Subjects,
		WriteTimeout: limit.WriteTimeout,
		Age:          limit.ConnectionAge,
		Memory:       int64(n.Settings.Memory),
		Loops:        orNoLimit(n.Settings.HTTP.Loops.Number()),
	}
}

// orNoLimit converts a limit of the settings, in which 0 means no limit, to one of live.Limits.
func orNoLimit[T int | float64](limit T) T {
	if limit == 0 {
		return -1
	}
	return limit
}

// tokens returns which tokens are valid.
func tokens(s configs.Auth) *live.Tokens {
	return &live.Tokens{
		Secret:       s.JWTSecret.Reveal(),
		PublicKeys:   s.JWTPublicKey.Keys,
		JWKS:         string(s.JwksURL),
		Proxy:        s.JwksProxy.URL,
		MaxLife:      s.MaxLife,
		Issuer:       s.Issuer,
		Audience:     s.Audience,
		TicketSecret: s.TicketSecret.Reveal(),
	}
}

// answersSuffix ends the name of the stream that keeps answers.
const answersSuffix = "_ANSWERS"

// History returns the streams that the settings describe. In the embedded server, answers have one of their own.
func History(s *configs.Settings) source.History {
	history := source.History{
		Subjects:      s.History,
		Stream:        string(s.HistoryStream),
		MaxAge:        s.HistoryMaxAge,
		MaxBytes:      int64(s.HistoryMaxBytes),
		Shrinks:       !s.IsSet("HISTORY_MAX_BYTES"),
		MaxPerSubject: int64(s.HistoryMaxPerSubject),
		Replicas:      s.HistoryReplicas,
		Memory:        s.HistoryStorage == "memory",
		Manage:        s.Embedded(),
	}
	if s.Embedded() {
		history.Apart = source.Apart{
			Token:    string(s.Answers),
			Stream:   history.Stream + answersSuffix,
			MaxBytes: int64(s.AnswersMaxBytes),
			Shrinks:  !s.IsSet("ANSWERS_MAX_BYTES"),
		}
	}
	return history
}
