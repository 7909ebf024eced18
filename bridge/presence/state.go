package presence

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tailwater/tailwater/bridge"
)

// MaxNames is how many members a State names. If there are more, it names the newest, and counts all.
const MaxNames = 200

// State is the value of a subject in the bucket. Browsers see the part of it that is a bridge.Presence.
type State struct {
	Type    string             `json:"type"` // bridge.PresenceJoin, bridge.PresenceLeave or bridge.PresenceState
	Subject bridge.Subject     `json:"subject"`
	Count   int                `json:"count"`            // members, with and without a name
	Members []Member           `json:"members"`          // with a name, the longest here first
	Joined  []string           `json:"joined,omitempty"` // names of members that joined with this change
	Left    []string           `json:"left,omitempty"`   // names of members that left with this change
	Bridges map[string]Holding `json:"bridges"`          // what each bridge has, by the bridge's name

	isForeign bool // it was parsed from a value that no bridge has written
}

// Member is somebody with a name.
type Member struct {
	bridge.PresenceMember
	Sub     string   `json:"sub,omitempty"` // of the token; empty for a name without a token
	Bridges []string `json:"bridges"`       // the bridges with a connection of the member
}

// Holding is what one bridge has of a subject.
type Holding struct {
	Members int `json:"members"`           // with a name
	Unnamed int `json:"unnamed,omitempty"` // connections without a name
}

// identity distinguishes members. Two people may have one name; one person has one `sub`.
type identity struct{ sub, name string }

func identify(sub, name string) identity {
	if sub != "" {
		name = ""
	}
	return identity{sub, name}
}

func (m *Member) identity() identity { return identify(m.Sub, m.Name) }

// mostBridges is how many bridges a State names at most. A value with more is another program's: to look up all their leases would take
// too long.
const mostBridges = 1000

// parse reads a value. A value that is not a State, because another program wrote it, has no members.
func parse(subject bridge.Subject, value []byte) State {
	var state State
	if value != nil && (json.Unmarshal(value, &state) != nil || len(state.Bridges) > mostBridges) {
		state = State{isForeign: true}
	}
	state.Type, state.Subject, state.Joined, state.Left = "", subject, nil, nil
	if state.Bridges == nil {
		state.Bridges = map[string]Holding{}
	}
	named, held := len(state.Bridges), len(state.Members)
	maps.DeleteFunc(state.Bridges, func(name string, holding Holding) bool {
		return !isBridge(name) || holding.Members < 0 || holding.Unnamed < 0
	})
	state.Members = slices.DeleteFunc(state.Members, func(m Member) bool {
		return !slices.ContainsFunc(m.Bridges, func(name string) bool { _, is := state.Bridges[name]; return is })
	})
	state.isForeign = state.isForeign || value != nil && len(state.Bridges) == 0 || len(state.Bridges) < named || len(state.Members) < held
	return state
}

// bridgeName is the length of a bridge's name, in characters.
const bridgeName = 10

// newBridge returns a name that no other bridge has.
func newBridge() string { return strings.ToLower(rand.Text()[:bridgeName]) }

// isBridge reports whether a name has the form of newBridge. Any other could not be the end of a lease's key.
func isBridge(name string) bool {
	return len(name) == bridgeName && !strings.ContainsFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '2' || c > '7') })
}

// isEmpty reports whether there are no members.
func (s *State) isEmpty() bool { return len(s.Bridges) == 0 }

// drop removes a bridge and its members, except the members to keep: those that no other bridge has leave.
func (s *State) drop(name string, keeps func(identity) bool) {
	delete(s.Bridges, name)
	s.Members = slices.DeleteFunc(s.Members, func(m Member) bool {
		if !slices.Contains(m.Bridges, name) || keeps(m.identity()) {
			return false
		}
		if len(m.Bridges) == 1 {
			s.Left = append(s.Left, m.Name)
		}
		return len(m.Bridges) == 1
	})
	for i := range s.Members {
		if m := &s.Members[i]; !keeps(m.identity()) {
			m.Bridges = slices.DeleteFunc(slices.Clone(m.Bridges), func(held string) bool { return held == name })
		}
	}
}

// add adds a member of a bridge. isTold means that an earlier change has announced the member.
func (s *State) add(name string, who Member, isTold bool) {
	at := slices.IndexFunc(s.Members, func(m Member) bool { return m.identity() == who.identity() })
	if at < 0 {
		who.Bridges = []string{name}
		s.Members = append(s.Members, who)
		if !isTold {
			s.Joined = append(s.Joined, who.Name)
		}
		return
	}
	m := &s.Members[at]
	if who.Since.Before(m.Since) {
		m.Since = who.Since
	}
	if !slices.Contains(m.Bridges, name) {
		m.Bridges = slices.Sorted(slices.Values(append(slices.Clone(m.Bridges), name)))
	}
}

// settle orders the members, keeps the newest if there are too many, and counts all.
func (s *State) settle() {
	slices.SortStableFunc(s.Members, func(a, b Member) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(a.Name, b.Name), strings.Compare(a.Sub, b.Sub))
	})
	s.Members = newest(s.Members)
	s.Joined, s.Left = newest(s.Joined), newest(s.Left)
	s.Count = s.count()
}

// shorten names half as many members. It reports whether there was one to leave out.
func (s *State) shorten() bool {
	most := max(len(s.Members), len(s.Joined), len(s.Left))
	s.Members, s.Joined, s.Left = last(s.Members, most/2), last(s.Joined, most/2), last(s.Left, most/2)
	s.Count = s.count()
	return most > 0
}

func newest[T any](all []T) []T { return last(all, MaxNames) }

func last[T any](all []T, n int) []T { return all[max(0, len(all)-n):] }

// count returns the number of members. If all named members are listed, each counts once, on however many bridges. Otherwise it
// is unknown who is on several bridges, and such members count on each.
func (s *State) count() int {
	listed, named, unnamed := map[string]int{}, 0, 0
	for _, m := range s.Members {
		for _, name := range m.Bridges {
			listed[name]++
		}
	}
	isWhole := true
	for name, holding := range s.Bridges {
		named += holding.Members
		unnamed += holding.Unnamed
		isWhole = isWhole && holding.Members <= listed[name]
	}
	if isWhole {
		named = len(s.Members)
	}
	return named + unnamed
}

// hasRoom reports whether not all of a bridge's named members are listed, although there is room for more.
func (s *State) hasRoom(bridge string, members int) bool {
	return len(s.Members) < MaxNames && s.named(bridge) < members
}

// named returns how many of a bridge's members are listed.
func (s *State) named(bridge string) (count int) {
	for _, m := range s.Members {
		if slices.Contains(m.Bridges, bridge) {
			count++
		}
	}
	return count
}

// isSame reports whether another state, which was parsed, has the same members on the same bridges.
func (s *State) isSame(other *State) bool {
	return !other.isForeign && s.Count == other.Count && maps.Equal(s.Bridges, other.Bridges) &&
		slices.EqualFunc(s.Members, other.Members, func(a, b Member) bool {
			return a.identity() == b.identity() && a.Name == b.Name && a.Since.Equal(b.Since) && slices.Equal(a.Bridges, b.Bridges)
		})
}

// tell sets the changes since another state.
func (s *State) tell(before *State) {
	hasJoined, hasLeft := len(s.Joined) > 0, len(s.Left) > 0
	switch {
	case hasJoined && !hasLeft, !hasLeft && s.Count > before.Count:
		s.Type = bridge.PresenceJoin
	case hasLeft && !hasJoined, !hasJoined && s.Count < before.Count:
		s.Type = bridge.PresenceLeave
	default:
		s.Type = bridge.PresenceState
	}
}

// clone returns a copy with its own members and bridges.
func (s *State) clone() State {
	made := *s
	made.Members, made.Bridges = slices.Clone(s.Members), maps.Clone(s.Bridges)
	return made
}
