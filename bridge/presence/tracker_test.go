package presence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/presence"
)

// settle is longer than anything takes while all is well: the grace, a write, a conflict.
const settle = 8 * time.Second

func expect(t *testing.T, b *bucket, subject string, names ...string) {
	t.Helper()
	if got := b.names(subject); !slices.Equal(got, names) {
		t.Errorf("after %v on %s: %v; want %v", time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)), subject, got, names)
	}
}

// TestJoinAndLeave: a member is listed at once, and leaves five seconds after its last connection; the last to leave deletes the key.
func TestJoinAndLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		time.Sleep(time.Second)
		ada := n.join("chat.room1", "Ada")
		time.Sleep(300 * time.Millisecond)
		expect(t, b, "chat.room1", "Ada")
		if s := b.state("chat.room1"); s.Type != bridge.PresenceJoin || s.Count != 1 || s.Members[0].Since.IsZero() || s.Members[0].User {
			t.Errorf("the state of one member is %+v", s)
		}
		ben := n.join("chat.room1", "Ben")
		time.Sleep(settle)
		expect(t, b, "chat.room1", "Ada", "Ben")
		cleo := n.join("chat.room1", "Cleo")
		time.Sleep(settle)
		ada()
		time.Sleep(2 * time.Second)
		cleo()
		cleo = n.join("chat.room1", "Cleo")
		time.Sleep(2900 * time.Millisecond)
		expect(t, b, "chat.room1", "Ada", "Ben", "Cleo")
		time.Sleep(500 * time.Millisecond)
		expect(t, b, "chat.room1", "Ben", "Cleo")
		if s := b.state("chat.room1"); s.Type != bridge.PresenceLeave || !slices.Equal(s.Left, []string{"Ada"}) {
			t.Errorf("the state behind a leave is %+v", s)
		}
		unnamed := n.join("chat.room1", "")
		time.Sleep(settle)
		if s := b.state("chat.room1"); s.Type != bridge.PresenceJoin || s.Count != 3 {
			t.Errorf("the state behind a join without a name is %+v", s)
		}
		unnamed()
		time.Sleep(settle)
		if s := b.state("chat.room1"); s.Type != bridge.PresenceLeave || s.Count != 2 {
			t.Errorf("the state behind a leave without a name is %+v", s)
		}
		eve := n.Join([]bridge.Subject{"chat.room1"}, bridge.Visitor{Name: "Eve"})
		time.Sleep(100 * time.Millisecond)
		eve(true)
		dan := n.join("chat.room1", "Dan")
		time.Sleep(time.Second)
		if s := b.state("chat.room1"); s.Type != bridge.PresenceState || !slices.Equal(s.Left, []string{"Eve"}) || !slices.Equal(s.Joined, []string{"Dan"}) {
			t.Errorf("the state behind a join and a leave is %+v", s)
		}
		dan()
		cleo()
		ben()
		time.Sleep(settle)
		if value := b.value("chat.room1"); value != nil {
			t.Errorf("the key of an empty room says %s", value)
		}
		if got := n.Stats(); got.Subjects != 0 || got.Members != 0 {
			t.Errorf("after everybody has left: %+v", got)
		}
	})
}

// TestReloadIsNoLeave: a page that is loaded again neither leaves nor joins, with a name or without, however often.
func TestReloadIsNoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		leaveAda, leaveOther := n.join("chat.a", "Ada"), n.join("chat.a", "")
		time.Sleep(settle)
		before := len(b.told())
		for range 10 {
			leaveAda()
			leaveOther()
			time.Sleep(3 * time.Second)
			leaveAda, leaveOther = n.join("chat.a", "Ada"), n.join("chat.a", "")
			time.Sleep(time.Second)
		}
		time.Sleep(settle)
		if now := b.told()[before:]; len(now) > 0 {
			t.Errorf("reloads were told: %+v", now)
		}
		if s := b.state("chat.a"); s.Count != 2 {
			t.Errorf("count %d; want 2", s.Count)
		}
		leaveAda()
		leaveOther()
		time.Sleep(settle)
		if value := b.value("chat.a"); value != nil {
			t.Errorf("somebody stays: %s", value)
		}
	})
}

// TestOnePersonIsOneMember: three tabs on two bridges are one member; two people of one name are two.
func TestOnePersonIsOneMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		leave := []func(){one.join("chat.a", "Ada"), one.join("chat.a", "Ada"), two.join("chat.a", "Ada")}
		alice := two.Join([]bridge.Subject{"chat.a"}, bridge.Visitor{Name: "Ada", Sub: "alice"})
		two.Join([]bridge.Subject{"chat.a"}, bridge.Visitor{Name: "Ada Lovelace", Sub: "alice"})(false) // whatever a token calls her
		time.Sleep(settle)
		expect(t, b, "chat.a", "Ada", "Ada")
		if s := b.state("chat.a"); s.Count != 2 || s.Members[0].User == s.Members[1].User {
			t.Errorf("the state is %+v", s)
		}
		alice(false)
		for _, leave := range leave {
			expect(t, b, "chat.a", b.names("chat.a")...)
			if !slices.Contains(b.names("chat.a"), "Ada") {
				t.Error("Ada left with a tab open")
			}
			leave()
			time.Sleep(settle)
		}
		expect(t, b, "chat.a")
		if got := strings.Join(b.events(), ", "); strings.Count(got, "join Ada") != 2 || strings.Count(got, "leave Ada") > 1 {
			t.Errorf("told: %s", got) // the last leave is the deletion of the key
		}
	})
}

// TestOthersAreNoMembers: no filter and no subject outside has members, nor do keys of leases.
func TestOthersAreNoMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		n.Join([]bridge.Subject{"chat.*", "time.now", "_lease.x"}, bridge.Visitor{Name: "Ada"})
		time.Sleep(settle)
		if stats := n.Stats(); len(b.told()) > 0 || stats.Subjects > 0 {
			t.Errorf("told: %+v, of %+v", b.told(), stats)
		}
		n.Join([]bridge.Subject{"chat.a", "chat.a"}, bridge.Visitor{}) // is one
		time.Sleep(settle)
		if count := b.state("chat.a").Count; count != 1 {
			t.Errorf("a connection that names a subject twice is %d members", count)
		}
	})
}

// TestKilledBridge: its members are gone within 30 seconds, and nobody else flickers.
func TestKilledBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		one.join("chat.a", "Ada")
		one.join("chat.b", "Ada")
		two.join("chat.a", "Ben")
		time.Sleep(time.Minute)
		one.kill()
		time.Sleep(30 * time.Second)
		expect(t, b, "chat.a", "Ben")
		expect(t, b, "chat.b")
		if got := strings.Join(b.events(), ", "); strings.Contains(got, "leave Ben") {
			t.Errorf("told: %s", got)
		}
	})
}

// TestClosedBridge: clients that find another bridge within a moment have not left.
func TestClosedBridge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		leaveAda, leaveBen := one.join("chat.a", "Ada"), one.join("chat.a", "Ben")
		time.Sleep(time.Minute)
		leaveAda()
		leaveBen()
		two.join("chat.a", "Ada")
		one.Close()
		time.Sleep(20 * time.Second)
		expect(t, b, "chat.a", "Ada")
		if got := strings.Join(b.events(), ", "); got != "join Ada, join Ben, leave Ben" && got != "join Ben, join Ada, leave Ben" {
			t.Errorf("told: %s", got)
		}
	})
}

// TestBridgeStartsAnew: what a killed bridge has left behind goes, also if no other bridge has seen it.
func TestBridgeStartsAnew(t *testing.T) {
	for _, away := range []time.Duration{time.Second, time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				one := open(t, b)
				one.join("chat.a", "Ada")
				one.join("chat.a", "Ben")
				time.Sleep(time.Minute)
				one.kill()
				time.Sleep(away)
				two := open(t, b)
				two.join("chat.a", "Ada")
				time.Sleep(30 * time.Second)
				expect(t, b, "chat.a", "Ada")
			})
		})
	}
}

// TestBridgeIsCutOff: for five seconds nobody notices; for a minute its members leave, and come back with it.
func TestBridgeIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		one.join("chat.a", "Ada")
		one.join("chat.a", "Cleo")
		two.join("chat.a", "Ben")
		time.Sleep(time.Minute)
		told := len(b.told())
		one.link.cut(true)
		time.Sleep(5 * time.Second)
		one.link.cut(false)
		time.Sleep(time.Minute)
		if now := b.told()[told:]; len(now) > 0 {
			t.Errorf("a cut of five seconds was told: %+v", now)
		}
		since := b.state("chat.a").Members
		one.link.cut(true)
		time.Sleep(30 * time.Second)
		expect(t, b, "chat.a", "Ben")
		one.join("chat.a", "Dan")
		two.join("chat.a", "Cleo") // who has found another way
		time.Sleep(30 * time.Second)
		expect(t, b, "chat.a", "Ben", "Cleo")
		one.link.cut(false)
		time.Sleep(3 * time.Second)
		expect(t, b, "chat.a", "Ada", "Ben", "Cleo", "Dan")
		s := b.state("chat.a")
		for i, before := range since {
			if now := s.Members[i]; now.Name != before.Name || now.Since != before.Since {
				t.Errorf("after a minute: %+v, and before: %+v", now, before)
			}
		}
		if s.Type != bridge.PresenceJoin {
			t.Errorf("after a minute: %+v", s)
		}
	})
}

// TestWritesAreFew: a room that comes and goes is written at most four times a second, and less often the larger it is.
func TestWritesAreFew(t *testing.T) {
	for _, test := range []struct{ members, most int }{{100, 42}, {2_000, 9}, {20_000, 4}} {
		t.Run(fmt.Sprint(test.members), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				n := open(t, b)
				for i := range test.members {
					n.join("chat.a", fmt.Sprint("member", i))
				}
				time.Sleep(time.Minute)
				before := b.wrote("chat.a")
				for i := range 1000 {
					n.join("chat.a", fmt.Sprint("another", i))()
					time.Sleep(10 * time.Millisecond)
				}
				if wrote := b.wrote("chat.a") - before; wrote < 1 && test.members < 2000 || wrote > test.most {
					t.Errorf("%d writes in ten seconds; want %d at most", wrote, test.most)
				}
				time.Sleep(2 * time.Minute)
				s := b.state("chat.a")
				value := b.value("chat.a")
				if s.Count != test.members || len(s.Members) != min(test.members, presence.MaxNames) || len(value) > 40_000 {
					t.Errorf("count %d with %d names in %d bytes", s.Count, len(s.Members), len(value))
				}
			})
		})
	}
}

// TestForeignValues: what somebody else has written into the bucket does no harm.
func TestForeignValues(t *testing.T) {
	for _, value := range []string{
		"", "hello", "null", `{"members":[{}]}`, `{"members":[{"name":"x","bridges":["gone"]}],"bridges":{"gone":{"members":1}}}`, `{"bridges":null,"count":-1}`,
		`{"members":[{"name":"x","bridges":["a b"]},{"name":"y","bridges":[">"]}],"bridges":{"a b":{"members":1},">":{"members":1},"":{"unnamed":3}}}`,
		`{"bridges":{"abcdefghij":{"members":-1,"unnamed":7}}}`,
	} {
		t.Run(value, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				b.keys["chat.a"] = entry{value: []byte(value), revision: 7}
				b.keys["chat.b"] = entry{value: []byte(value), revision: 8}
				b.last = 8
				n := open(t, b)
				n.join("chat.a", "Ada")
				time.Sleep(time.Minute)
				expect(t, b, "chat.a", "Ada")
				if s := b.state("chat.a"); s.Count != 1 {
					t.Errorf("count %d; want 1", s.Count)
				}
				if value := b.value("chat.b"); value != nil {
					t.Errorf("a room that nobody is in says %s", value)
				}
			})
		})
	}
}

// TestBridgeThatStops: who is asked to come back, and does after a while, has not left.
func TestBridgeThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		leave := one.join("chat.a", "Ada")
		time.Sleep(time.Minute)
		one.Drain()
		leave()
		time.Sleep(15 * time.Second)
		one.Close()
		time.Sleep(3 * time.Second)
		two.join("chat.a", "Ada")
		time.Sleep(time.Minute)
		expect(t, b, "chat.a", "Ada")
		if got := strings.Join(b.events(), ", "); got != "join Ada" {
			t.Errorf("told: %s", got)
		}
	})
}

// TestDeadClientHasLeft: a client that was not heard of for long is not waited for.
func TestDeadClientHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		for _, name := range []string{"Ada", ""} {
			leave := n.Join([]bridge.Subject{"chat.a"}, bridge.Visitor{Name: name})
			other := n.join("chat.a", name)
			time.Sleep(time.Second)
			leave(false)
			if name == "" {
				other()
				time.Sleep(settle)
				leave, other = n.Join([]bridge.Subject{"chat.a"}, bridge.Visitor{Name: name}), func() {}
				time.Sleep(time.Second)
			}
			other()
			if name != "" {
				leave = n.Join([]bridge.Subject{"chat.a"}, bridge.Visitor{Name: name})
			}
			leave(true)
			time.Sleep(time.Second)
			if s := b.state("chat.a"); s.Count != 0 {
				t.Errorf("%q is still here: %+v", name, s)
			}
		}
	})
}

// TestOneAccountFillsNoRoom: who opens and closes connections under ever other names is listed only so often.
func TestOneAccountFillsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b, 20)
		rooms := []bridge.Subject{"chat.a", "chat.b", "chat.c", "chat.d", "other.a"}
		for i := range 1000 {
			n.Join(rooms, bridge.Visitor{Name: fmt.Sprint("name", i), Account: 1})(false)
			time.Sleep(5 * time.Millisecond)
		}
		if got := n.Stats(); got.Members > 20 || got.Unlisted < 900 {
			t.Errorf("one account has %+v", got)
		}
		n.Join(rooms, bridge.Visitor{Name: "Ben", Account: 2})
		time.Sleep(settle)
		expect(t, b, "chat.a", "Ben")
		leave := n.Join(rooms, bridge.Visitor{Name: "Ada", Account: 1})
		time.Sleep(time.Second)
		expect(t, b, "chat.a", "Ada", "Ben")
		leave(false)
		time.Sleep(settle)
		for range 5 { // all its places are free again
			n.Join(rooms, bridge.Visitor{Name: "Cleo", Account: 1})
		}
		time.Sleep(time.Second)
		expect(t, b, "chat.d", "Ben", "Cleo")
		if got := n.Stats(); got.Members != 8 {
			t.Errorf("%+v", got)
		}
	})
}
