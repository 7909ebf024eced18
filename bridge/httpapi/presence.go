package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tailwater/tailwater/bridge"
)

// Presence keeps the members of subjects: those who have a connection open.
type Presence interface {
	// Overlaps reports whether the members of any subject within a filter are kept.
	Overlaps(filter bridge.Subject) bool
	// Join adds a connection to those of the subjects whose members are kept, until leave is called, which must be once. isDead says
	// that the client has been gone for a while.
	Join(subjects []bridge.Subject, v bridge.Visitor) (leave func(isDead bool))
}

// errNoMembers: nobody keeps the members of what was asked for.
var errNoMembers = errors.New("nobody keeps a list of who is there; the operator can add the subject to TAILWATER_PRESENCE")

// membership is what a GET asks about members.
type membership struct {
	isTold   bool   // the connection is told who is there
	isHidden bool   // its client is no member
	name     string // of an anonymous client
}

// presencePath begins the paths below which the members of subjects are read.
const presencePath = "/presence/"

// presenceTarget returns the subject whose members a path names.
func presenceTarget(path string) (t target, found bool) {
	rest, found := strings.CutPrefix(path, presencePath)
	if !found {
		return target{}, false
	}
	subject, fits, err := bridge.Events.Resolve("/events/" + rest)
	return target{subjects: []bridge.Subject{subject}, route: bridge.Events, named: true, members: true, err: err}, fits
}

// readMembership reads presence= and name=.
func readMembership(query url.Values, t *target) (m membership, err error) {
	switch presence := query.Get("presence"); presence {
	case "":
	case "1":
		m.isTold = true
	case "observe":
		m.isTold, m.isHidden = true, true
	default:
		return m, fmt.Errorf("%w: presence=%.20s means nothing; use presence=1 to be told who is here, or presence=observe to be told and not be listed", errQuery, presence)
	}
	if t.members {
		m.isTold, m.isHidden = true, true
	}
	m.name, err = memberName(query.Get("name"))
	return m, err
}

// maxNameBytes bounds the name of a member.
const maxNameBytes = 64

// memberName returns a name with plain blanks, and none around it.
func memberName(name string) (string, error) {
	isText := utf8.ValidString(name)
	name = strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Zs, c) {
			return ' '
		}
		return c
	}, name))
	switch {
	case len(name) > maxNameBytes:
		return "", fmt.Errorf("%w: name= has %d bytes; at most %d are allowed", errQuery, len(name), maxNameBytes)
	case !isText || !isPrintable(name):
		return "", fmt.Errorf("%w: name=%.40q holds characters that are not printable", errQuery, name)
	}
	return name, nil
}

// joiners join what stands around them to one character: an emoji of several people, a letter of Persian or Hindi.
const joiners = "\u200c\u200d"

func isPrintable(name string) bool {
	return strings.Trim(name, joiners) == name &&
		!strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) && !strings.ContainsRune(joiners, c) })
}

// keepsMembers reports whether the members of any of the target's subjects are kept.
func (a *API) keepsMembers(t *target) bool {
	return a.config.Presence != nil && slices.ContainsFunc(t.subjects, a.config.Presence.Overlaps)
}

// checkMembers refuses to tell of members that nobody keeps.
func (a *API) checkMembers(t *target, m membership) error {
	switch {
	case !m.isTold || a.keepsMembers(t):
		return nil
	case t.members:
		return errNoMembers
	default:
		return fmt.Errorf("%w: presence: %w", errQuery, errNoMembers)
	}
}

// reading returns what a connection reads: its subjects, and who is there.
func (t *target) reading(m membership) []bridge.Subject {
	var subjects []bridge.Subject
	if !t.members {
		subjects = slices.Clone(t.subjects)
	}
	if m.isTold {
		for _, s := range t.subjects {
			subjects = append(subjects, bridge.PresenceOf(s))
		}
	}
	return subjects
}

// join lists the client of a connection, if it is to be. leave is called when the connection has ended; nil if it is not to be.
func (a *API) join(t *target, request *request) (leave func(isDead bool)) {
	m, caller := request.members, request.caller
	if m.isHidden || !a.keepsMembers(t) {
		return nil
	}
	name := m.name
	if !caller.Anonymous() {
		name = nameOf(caller)
	}
	return a.config.Presence.Join(t.subjects, bridge.Visitor{Name: name, Sub: caller.Name, Account: request.resume.Account})
}

// nameOf returns what a caller is called: as the token's claim `name` says, else by its `sub`.
func nameOf(caller bridge.Caller) string {
	if name, err := memberName(caller.Claims["name"]); err == nil && name != "" {
		return name
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '�'
	}, caller.Name)
	for len(name) > maxNameBytes {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

// isDocument reports whether a request for members wants them once, as a JSON document.
func isDocument(r *http.Request, t *target, query url.Values) bool {
	return t.members && query.Get("poll") == "" && !prefers(r, typeLines, typeDocument) && !prefers(r, typeEvents, typeDocument)
}

// memberList answers who is there now.
func (a *API) memberList(w http.ResponseWriter, r *http.Request, t *target, request *request) error {
	subject := t.subjects[0]
	if subject.Wild() {
		return fmt.Errorf("%w: name one subject, or read the members of all as text/event-stream or with poll=1", errQuery)
	}
	var members bridge.Presence
	if err := a.lookUp(r.Context(), func(ctx context.Context) (err error) {
		members, err = a.readMembers(ctx, subject, request.resume.Account)
		return err
	}); err != nil {
		return fmt.Errorf("read who is on %s: %w", subject, err)
	}
	members.Type, members.Joined, members.Left = "", nil, nil // nothing has happened
	w.Header().Add("Vary", "Accept")
	writeJSON(w, http.StatusOK, typeDocument, members)
	return nil
}

// readMembers reads the value of a subject as a connection would.
func (a *API) readMembers(ctx context.Context, subject bridge.Subject, account bridge.Account) (bridge.Presence, error) {
	none := bridge.Presence{Subject: string(subject), Members: []bridge.PresenceMember{}}
	framing := bridge.Framing{Format: bridge.Lines, Presence: true}
	reader, err := a.config.Hub.Read([]bridge.Subject{bridge.PresenceOf(subject)}, framing, bridge.Resume{Sync: true, Account: account})
	if err != nil {
		return none, fmt.Errorf("%w: %w", errBusy, err)
	}
	defer reader.Close()
	found, more := none, bridge.NewSignal()
	for !reader.Done() {
		frames := reader.Next(nil, math.MaxInt, more)
		for _, frame := range frames {
			var event line
			if json.Unmarshal(frame, &event) == nil && event.Event == bridge.EventPresence {
				found = none
				_ = json.Unmarshal([]byte(event.Data), &found) // the bridge has encoded it
			}
		}
		if len(frames) > 0 {
			continue
		}
		if err := reader.Refusal(); err != nil {
			return none, err
		}
		select {
		case <-more:
		case <-ctx.Done():
			return none, fmt.Errorf("%w: %w", bridge.ErrUnavailable, ctx.Err())
		}
	}
	return found, nil
}
