package presence_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge/presence"
)

// write puts a value into the bucket, as any program may that NATS allows to.
func (b *bucket) write(t *testing.T, key string, value []byte) {
	t.Helper()
	if _, err := b.put(key, value, b.revision(key), 0); err != nil {
		t.Fatal(err)
	}
}

func (b *bucket) revision(key string) uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.get(key).revision
}

// TestLeaseThatNobodyRenews proves that the members of a bridge are gone, even if another program has written its lease for ever.
func TestLeaseThatNobodyRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		one, two := open(t, b), open(t, b)
		one.join("chat.a", "Ada")
		two.join("chat.a", "Ben")
		time.Sleep(settle)
		one.kill()
		for key := range b.leases() {
			b.write(t, key, []byte("for ever"))
		}
		time.Sleep(3 * time.Minute)
		expect(t, b, "chat.a", "Ben")
		if got := strings.Join(b.events(), ", "); strings.Contains(got, "leave Ben") {
			t.Errorf("told: %s", got)
		}
	})
}

func (b *bucket) leases() map[string]bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	leases := map[string]bool{}
	for key := range b.keys {
		if strings.HasPrefix(key, "_lease.") {
			leases[key] = true
		}
	}
	return leases
}

// TestValuesOfOtherWriters proves that no value can keep the members of a room from being listed.
func TestValuesOfOtherWriters(t *testing.T) {
	many := map[string]presence.Holding{}
	for i := range 50_000 {
		many["a"+strings.NewReplacer("0", "b", "1", "c", "8", "d", "9", "e").Replace(fmt.Sprintf("%09d", i))] = presence.Holding{Members: 7}
	}
	crowd := presence.State{Bridges: many}
	for name, value := range map[string]string{
		"no JSON":      "rubbish",
		"empty":        "",
		"null":         "null",
		"list":         "[1,2,3]",
		"wrong types":  `{"members":{"name":1},"bridges":[]}`,
		"negative":     `{"count":-5,"bridges":{"aaaaaaaaaa":{"members":-1}}}`,
		"overflow":     `{"bridges":{"aaaaaaaaaa":{"members":9223372036854775807},"aaaaaaaaab":{"members":9223372036854775807}}}`,
		"odd bridges":  `{"bridges":{"*":{"members":1},"a.b >":{"members":1}}}`,
		"deep":         strings.Repeat("[", 100_000),
		"many bridges": encode(t, crowd),
		"many members": `{"bridges":{"aaaaaaaaaa":{"members":1}},"members":[` + strings.Repeat(`{"name":"x","bridges":["aaaaaaaaaa"]},`, 20_000) + `{"name":"y"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				n := open(t, b)
				n.join("chat.a", "Ada")
				time.Sleep(time.Minute)
				n.link.slow(time.Millisecond)
				b.mu.Lock()
				b.last++
				b.keys["chat.a"] = entry{[]byte(value), b.last, time.Time{}}
				b.mu.Unlock()
				n.join("chat.a", "Ben")
				time.Sleep(settle)
				expect(t, b, "chat.a", "Ada", "Ben")
				if s := b.state("chat.a"); s.Count != 2 {
					t.Errorf("count %d", s.Count)
				}
			})
		})
	}
}

// TestOtherWritersAreCorrectedAtOnce proves that what another program does to a value is undone within seconds, in rooms with members and without.
func TestOtherWritersAreCorrectedAtOnce(t *testing.T) {
	for name, value := range map[string][]byte{
		"no JSON":          []byte("rubbish"),
		"nobody":           []byte("{}"),
		"deleted":          nil,
		"a ghost":          []byte("a ghost beside the members"),
		"without a bridge": []byte(`{"count":1,"members":[{"name":"Eve","since":"2026-01-01T00:00:00Z","bridges":["aaaaaaaaaa"]}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				nodes := []*node{open(t, b), open(t, b), open(t, b)}
				nodes[0].join("chat.a", "Ada")
				nodes[1].join("chat.a", "Ben")
				nodes[2].join("chat.a", "")
				time.Sleep(time.Minute)
				b.write(t, "chat.empty", value)
				if name == "a ghost" {
					value = bytes.Replace(b.value("chat.a"), []byte(`"members":[`), []byte(`"members":[{"name":"Eve","since":"2026-01-01T00:00:00Z","bridges":["aaaaaaaaaa"]},`), 1)
				}
				b.write(t, "chat.a", value)
				time.Sleep(2 * time.Second)
				expect(t, b, "chat.a", "Ada", "Ben")
				if count := b.state("chat.a").Count; count != 3 {
					t.Errorf("%d are here", count)
				}
				if got := b.value("chat.empty"); got != nil {
					t.Errorf("in a room without members: %s", got)
				}
				if got := strings.Join(b.events(), ", "); strings.Contains(got, "leave A") || strings.Contains(got, "leave B") {
					t.Errorf("told: %s", got)
				}
				room, empty := b.wrote("chat.a"), b.wrote("chat.empty")
				time.Sleep(4 * time.Minute)
				if b.wrote("chat.a") != room || b.wrote("chat.empty") != empty {
					t.Error("the values were written again and again")
				}
			})
		})
	}
}

// TestValuesWhereNobodyIs proves that a value which no bridge can have written is deleted at once where no bridge has members.
func TestValuesWhereNobodyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		open(t, b)
		time.Sleep(time.Minute)
		for _, value := range []string{"rubbish", `{"bridges":{"odd":{"members":1}}}`, `{"bridges":{"aaaaaaaaaa":{"members":-1}}}`, `{"bridges":{"aaaaaaaaaa":{"members":1,"unnamed":-1}}}`} {
			b.write(t, "chat.a", []byte(value))
			time.Sleep(time.Second)
			if left := b.value("chat.a"); left != nil {
				t.Errorf("it stays: %s", left)
			}
		}
	})
}

func encode(t *testing.T, state presence.State) string {
	t.Helper()
	value, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return string(value)
}

// TestListTooLargeForNATS proves that a list which NATS does not accept is written with fewer names, and with the whole count.
func TestListTooLargeForNATS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		b.most = 4096
		n := open(t, b)
		for i := range 150 {
			n.join("chat.a", fmt.Sprintf("%064d", i))
		}
		time.Sleep(settle)
		s := b.state("chat.a")
		if s.Count != 150 || len(s.Members) < 5 || s.Members[len(s.Members)-1].Name != fmt.Sprintf("%064d", 149) {
			t.Errorf("%d members are counted, %d named", s.Count, len(s.Members))
		}
		writes := b.wrote("chat.a")
		time.Sleep(10 * time.Minute)
		if now := b.wrote("chat.a"); now > writes {
			t.Errorf("an unchanged list was written %d times", now-writes)
		}
		if got := n.Stats(); got.Failures > 0 {
			t.Errorf("%d writes failed", got.Failures)
		}
	})
}

// TestListTooLargeForNATSOnTwoBridges proves that bridges do not write a list in turn, each with the names that the other has left out.
func TestListTooLargeForNATSOnTwoBridges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		b.most = 9000
		one, two := open(t, b), open(t, b)
		one.link.slow(time.Millisecond)
		two.link.slow(time.Millisecond)
		for i := range 10 {
			one.join("chat.a", fmt.Sprint("old", i))
		}
		time.Sleep(settle)
		for i := range 140 {
			two.join("chat.a", fmt.Sprint("new", i))
		}
		time.Sleep(settle)
		if s := b.state("chat.a"); s.Count != 150 || len(s.Members) >= 150 {
			t.Errorf("%d members are counted, %d named", s.Count, len(s.Members))
		}
		writes := b.wrote("chat.a")
		time.Sleep(4 * time.Minute)
		if now := b.wrote("chat.a"); now > writes {
			t.Errorf("a list without changes was written %d times", now-writes)
		}
	})
}
