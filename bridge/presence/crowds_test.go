package presence_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// TestRoomsOfOneAccountDelayNoOther: while the writes of one account's many rooms wait for a slow NATS, the room of another account is
// written as one of the next, both when it joins and when it leaves.
func TestRoomsOfOneAccountDelayNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b)
		time.Sleep(settle)
		n.link.slow(100 * time.Millisecond)
		visit := func(name string, account bridge.Account, rooms ...bridge.Subject) (leave func(bool)) {
			return n.Join(rooms, bridge.Visitor{Name: name, Account: account})
		}
		var leaves []func(bool)
		for i := range 1600 {
			leaves = append(leaves, visit("stranger", 1, bridge.Subject(fmt.Sprint("chat.", i))))
		}
		time.Sleep(time.Millisecond)
		ada := visit("Ada", 2, "chat.ada")
		visit("stranger", 1, "chat.ada")
		ben := visit("Ben", 3, "chat.0", "chat.1599")
		time.Sleep(time.Second)
		expect(t, b, "chat.ada", "Ada", "stranger")
		expect(t, b, "chat.1599", "Ben", "stranger")
		time.Sleep(time.Minute)
		for i := range 400 { // who comes for the first time does not go before those who have been here
			visit("newcomer", 4, bridge.Subject(fmt.Sprint("chat.new.", i)))
		}
		time.Sleep(time.Millisecond)
		visit("stranger", 1, "chat.late")
		time.Sleep(time.Second)
		expect(t, b, "chat.late", "stranger")
		time.Sleep(time.Minute)
		before := len(b.told())
		for _, leave := range leaves {
			leave(false)
		}
		time.Sleep(time.Millisecond)
		ada(false)
		ben(false)
		time.Sleep(6 * time.Second)
		expect(t, b, "chat.ada", "stranger")
		if wrote := len(b.told()) - before; wrote > 1500 {
			t.Errorf("%d writes in a second: nothing has waited, so nothing was tested", wrote)
		}
	})
}

// TestFewAddressesPushNobodyOff: the anonymous names of a few addresses, however many, do not push others off the list of a room. Clients whose
// names are not listed are counted. People with tokens, and people behind one address in a small room, are all named.
func TestFewAddressesPushNobodyOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		n := open(t, b, 1000)
		visit := func(name, sub string, account bridge.Account) (leave func(bool)) {
			return n.Join([]bridge.Subject{"chat.a"}, bridge.Visitor{Name: name, Sub: sub, Account: account})
		}
		visit("Ada", "", 1)
		visit("Ben", "ben", 2)
		for i := range 60 {
			visit(fmt.Sprint("class", i), "", 3)
		}
		time.Sleep(settle)
		if s := b.state("chat.a"); len(s.Members) != 62 {
			t.Errorf("of 60 people behind one address, %d are named", len(s.Members)-2)
		}
		leaves := map[string]func(bool){}
		for account := range bridge.Account(4) {
			for i := range 190 {
				name := fmt.Sprint("stranger", account, ".", i)
				leaves[name] = visit(name, "", 10+account)
			}
		}
		time.Sleep(time.Minute)
		again := visit("stranger0.0", "", 10) // a name that is listed
		visit("Dan", "dan", 10)
		time.Sleep(settle)
		names, count := b.names("chat.a"), b.state("chat.a").Count
		if !slices.Contains(names, "Ada") || !slices.Contains(names, "Ben") || !slices.Contains(names, "class0") || !slices.Contains(names, "Dan") {
			t.Errorf("people were pushed off the list of %d names by four addresses", len(names))
		}
		if count != 63+4*190 {
			t.Errorf("count %d; want %d", count, 63+4*190)
		}
		again(false)
		for _, leave := range leaves {
			leave(false)
		}
		time.Sleep(time.Minute)
		for i := range 40 { // a room that is not small
			visit(fmt.Sprint("school", i), "", bridge.Account(4+i/20))
		}
		for i := range 20 {
			visit(fmt.Sprint("again", i), "", 10)
		}
		time.Sleep(settle)
		if s := b.state("chat.a"); s.Count != 123 || len(s.Members) != 123 {
			t.Errorf("after the strangers have left, %d members with %d names; want 123", s.Count, len(s.Members))
		}
	})
}

// TestConnectionThatIsNamedInOneRoom: a connection that reads two subjects may be named on the one, and only counted on the other, where its
// address has brought too many names. It leaves both as it has entered them.
func TestConnectionThatIsNamedInOneRoom(t *testing.T) {
	for _, subjects := range [][]bridge.Subject{{"chat.large", "chat.small"}, {"chat.small", "chat.large"}} {
		t.Run(string(subjects[0]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				n := open(t, b, 1000)
				visit := func(name string, account bridge.Account, subjects ...bridge.Subject) (leave func(bool)) {
					return n.Join(subjects, bridge.Visitor{Name: name, Account: account})
				}
				for i := range 100 {
					visit(fmt.Sprint("crowd", i), bridge.Account(1+i/20), "chat.large")
				}
				time.Sleep(settle)
				leave := visit("Ada", 1, subjects...)
				time.Sleep(settle)
				expect(t, b, "chat.small", "Ada")
				if s := b.state("chat.large"); s.Count != 101 || len(s.Members) != 100 {
					t.Errorf("%d members, %d of them named; want 101, and 100", s.Count, len(s.Members))
				}
				leave(false)
				time.Sleep(settle)
				expect(t, b, "chat.small")
				if s := b.state("chat.large"); s.Count != 100 || len(s.Members) != 100 {
					t.Errorf("after the leave, %d members, %d of them named; want 100", s.Count, len(s.Members))
				}
			})
		})
	}
}
