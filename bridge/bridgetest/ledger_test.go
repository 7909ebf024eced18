package bridgetest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

// step is one line of a client's log, which tests falsify.
type step struct {
	connect bool
	event   bridgetest.Event
	id      string // sent by the client when it connects
}

func event(kind, data, id string) step {
	return step{event: bridgetest.Event{Type: kind, Data: data, ID: id}}
}

func message(seq int) step { return event("message", fmt.Sprint("m", seq), at(seq)) }

func connect(id string) step { return step{connect: true, id: id} }

func open(id string) step { return event("tailwater:open", `{"subjects":["a"]}`, id) }

func reset(reason, id string) step { return event("tailwater:reset", `{"reason":"`+reason+`"}`, id) }

func gap(after, first, reason string) step {
	return event("tailwater:gap", fmt.Sprintf(`{"after":%q,"first":%q,"reason":%q}`, after, first, reason), first)
}

func at(seq int) string { return fmt.Sprintf("e-%d-t%d", seq, seq) }

// healthy is the log of a client that is cut after the third message, and in the middle of the sixth.
func healthy() []step {
	return []step{
		connect(""), open("e-0"), message(1), message(2), message(3),
		connect(at(3)), open(at(3)), message(4), message(5),
		connect(at(5)), open(at(5)), message(6), message(7), message(8),
	}
}

// checkSteps checks a client's log against eight messages on one subject, all acknowledged except the last.
func checkSteps(t *testing.T, steps []step, rules bridgetest.Rules) bridgetest.Violations {
	t.Helper()
	ledger := bridgetest.NewLedger()
	log := ledger.NewLog("client", false, "a")
	published := 0
	publish := func() {
		published++
		m := ledger.Publish(t, "a", "", fmt.Sprint("m", published))
		if published < 8 {
			m.Acknowledged(uint64(published))
		}
	}
	publish() // before any client connects: owed only to clients that begin before it
	for _, s := range steps {
		switch {
		case s.connect:
			log.Connected("node", s.id)
		default:
			log.Saw(s.event)
			for published < 8 {
				publish()
			}
		}
	}
	return ledger.Check(rules)
}

func TestHealthyLedgersAreGreen(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		rules bridgetest.Rules
	}{
		"resumed twice":            {healthy(), bridgetest.Rules{}},
		"without the unknown fate": {healthy()[:13], bridgetest.Rules{}},
		"a correct gap on connecting": {
			slices.Concat(healthy()[:5], []step{connect(at(3)), gap(at(3), "e-5", "retention"), message(6), message(7)}),
			bridgetest.Rules{Gaps: []string{"retention"}},
		},
		"a correct gap later": {
			slices.Concat(healthy()[:5], []step{gap(at(3), "e-5", "overrun"), message(6), message(7)}),
			bridgetest.Rules{Gaps: []string{"overrun"}},
		},
		"cut before the first message": {
			slices.Concat(healthy()[:2], []step{connect("e-0"), open("e-0")}, healthy()[2:]),
			bridgetest.Rules{},
		},
		"cut before the opening": {slices.Concat([]step{connect("")}, healthy()), bridgetest.Rules{}},
		"a reset":                {slices.Concat(healthy()[:5], []step{connect(at(3)), reset("unknown", "f-7"), event("message", "m8", "f-8")}), bridgetest.Rules{Resets: []string{"unknown"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if broken := checkSteps(t, test.steps, test.rules); len(broken) > 0 {
				t.Error(broken)
			}
		})
	}
}

func TestDoctoredLedgersAreRed(t *testing.T) {
	anything := bridgetest.Rules{Gaps: []string{"retention"}, Resets: []string{"unknown", "recreated"}}
	for name, test := range map[string]struct {
		doctor func([]step) []step
		rules  bridgetest.Rules
		says   string
	}{
		"lost":             {without(3), anything, `lost: "m2"`},
		"lost at the end":  {without(12), anything, `lost: "m7"`},
		"all lost":         {func(s []step) []step { return s[:2] }, anything, `lost: "m1"`},
		"never opened":     {func(s []step) []step { return s[:1] }, anything, "never got an opening"},
		"doubled":          {insert(5, message(3)), anything, "second time"},
		"doubled, new id":  {replaced(7, event("message", "m3", at(4))), anything, "second time"},
		"swapped":          {swapped(2, 3), anything, "does not grow"},
		"swapped contents": {swappedData(2, 3), anything, "out of order"},
		"lost at a resume": {without(7), anything, `lost: "m4"`},
		"a gap for nothing": {
			replaced(6, gap(at(3), at(4), "retention")), bridgetest.Rules{Gaps: []string{"overrun"}}, "where nothing was lost",
		},
		"a gap too short": {
			func(s []step) []step {
				return slices.Concat(s[:5], []step{connect(at(3)), gap(at(3), "e-4", "retention"), message(6), message(7)})
			}, anything, `lost: "m5"`,
		},
		"a gap of nothing":     {replaced(6, gap(at(3), at(3), "retention")), anything, "gap of nothing"},
		"a gap behind another": {replaced(6, gap(at(2), at(4), "retention")), anything, "a gap after"},
		"a gap that begins late": {
			func(s []step) []step {
				return append(s[:5:5], gap("e-4", "e-5", "retention"), message(6), message(7))
			}, anything, `lost: "m4"`,
		},
		"a gap with another id": {replaced(6, event("tailwater:gap", `{"after":"e-3-t3","first":"e-5","reason":"retention"}`, at(3))), anything, "has the id"},
		"an id that goes back":  {replaced(8, event("message", "m5", "e-2-t2")), anything, "does not grow"},
		"no id":                 {replaced(8, event("message", "m5", at(4))), anything, "does not grow"},
		"no id at all":          {replaced(8, event("message", "m5", "")), anything, "is not an event id"},
		"another epoch":         {replaced(8, event("message", "m5", "f-5-t5")), anything, "does not grow"},
		"no opening":            {without(6), anything, "instead of open"},
		"two openings":          {insert(7, open(at(3))), anything, "second open"},
		"resumed elsewhere":     {replaced(6, open(at(4))), anything, "an exact resume at"},
		"resumed in another":    {replaced(6, open("e-3-t4")), anything, "an exact resume at"},
		"opened too far":        {replaced(1, open("e-2")), anything, "does not grow"},
		"began too far":         {func(s []step) []step { return slices.Concat(s[:1], []step{open("e-3")}, s[7:9]) }, anything, `lost: "m2"`},
		"unknown message":       {replaced(8, event("message", "m", at(5))), anything, "nobody has published"},
		"unasked reset":         {replaced(6, reset("malformed", at(3))), anything, "without a cause"},
		"after the close":       {insert(4, event("tailwater:close", `{"reason":"drain"}`, at(2))), anything, "said the connection ends"},
		"another's id":          {replaced(5, connect(at(2))), anything, "but had seen"},
		"another's sequence":    {func(s []step) []step { return append(s[:12:12], event("message", "m7", at(8))) }, anything, "has the sequence 7"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := checkSteps(t, test.doctor(healthy()), test.rules)
			if !strings.Contains(broken.String(), test.says) {
				t.Errorf("it does not say %q:\n%s", test.says, broken)
			}
		})
	}
}

func without(i int) func([]step) []step {
	return func(s []step) []step { return slices.Delete(s, i, i+1) }
}

func insert(i int, added step) func([]step) []step {
	return func(s []step) []step { return slices.Insert(s, i, added) }
}

func replaced(i int, by step) func([]step) []step {
	return func(s []step) []step { s[i] = by; return s }
}

func swapped(i, j int) func([]step) []step {
	return func(s []step) []step { s[i], s[j] = s[j], s[i]; return s }
}

func swappedData(i, j int) func([]step) []step {
	return func(s []step) []step {
		s[i].event.Data, s[j].event.Data = s[j].event.Data, s[i].event.Data
		return s
	}
}

// Destroying a stream starts another life: clients have to be told.
func TestLedgerOfAStreamMadeAnew(t *testing.T) {
	for name, test := range map[string]struct {
		epoch string
		told  bool
		says  string
	}{
		"told":                      {"f", true, ""},
		"not told":                  {"f", false, "does not grow"},
		"set back, told":            {"e", true, ""},
		"set back, not told":        {"e", false, "was not told"},
		"away since, saw only that": {"", false, "never told"},
	} {
		t.Run(name, func(t *testing.T) {
			ledger := bridgetest.NewLedger()
			log := ledger.NewLog("client", false, "a")
			log.Connected("node", "")
			log.Saw(open("e-0").event)
			ledger.Publish(t, "a", "", "m1").Acknowledged(1)
			ledger.Publish(t, "a", "", "m2").Acknowledged(2)
			log.Saw(message(1).event)
			ledger.Disturb(func() { ledger.Publish(t, "a", "", "meanwhile").Acknowledged(3) })
			ledger.Publish(t, "a", "", "anew").Acknowledged(2)
			if test.told {
				log.Saw(reset("recreated", test.epoch+"-1").event)
			}
			if test.epoch != "" {
				log.Saw(event("message", "anew", test.epoch+"-2-x").event)
			}
			broken := ledger.Check(bridgetest.Rules{Resets: []string{"recreated"}})
			if test.says == "" && len(broken) > 0 || !strings.Contains(broken.String(), test.says) {
				t.Errorf("it does not say %q:\n%s", test.says, broken)
			}
		})
	}
}

// While a stream is being exchanged, a message may still come by the old one, before the client is told.
func TestMessageOfTheOldStream(t *testing.T) {
	ledger := bridgetest.NewLedger()
	log := ledger.NewLog("client", false, "a")
	log.Connected("node", "")
	log.Saw(open("e-0").event)
	ledger.Disturb(func() { log.Saw(reset("recreated", "f-0").event) })
	ledger.Disturb(func() {
		ledger.Publish(t, "a", "", "last").Acknowledged(1)
		log.Saw(event("message", "last", "f-1-x").event)
		log.Saw(reset("recreated", "g-0").event)
	})
	if broken := ledger.Check(bridgetest.Rules{Resets: []string{"recreated"}}); len(broken) > 0 {
		t.Error(broken)
	}
}

// A gap on an open connection may begin at the bridge's position, after messages on subjects that the client does not read.
func TestGapBehindOtherSubjects(t *testing.T) {
	ledger := bridgetest.NewLedger()
	log := ledger.NewLog("client", false, "a")
	log.Connected("node", "")
	log.Saw(open("e-0").event)
	for seq, subject := range []string{"a", "b", "a", "a"} {
		ledger.Publish(t, subject, "", fmt.Sprint("m", seq+1)).Acknowledged(uint64(seq + 1))
	}
	log.Saw(message(1).event)
	log.Saw(gap("e-2", "e-3", "retention").event)
	log.Saw(message(4).event)
	if broken := ledger.Check(bridgetest.Rules{Gaps: []string{"retention"}}); len(broken) > 0 {
		t.Error(broken)
	}
}

// The object of format=json is checked as strictly.
func TestLedgerOfObjects(t *testing.T) {
	for name, test := range map[string]struct{ data, says string }{
		"healthy":    {`{"subject":"a.b","id":"e-1-t1","data":"m1"}`, ""},
		"binary":     {`{"subject":"a.b","id":"e-1-t1","data_base64":"bTE="}`, ""},
		"another id": {`{"subject":"a.b","id":"e-1-t2","data":"m1"}`, "is not the event's"},
		"no object":  {`m1`, "is not a JSON object"},
		"subject":    {`{"subject":"a.c","id":"e-1-t1","data":"m1"}`, "was published on"},
	} {
		t.Run(name, func(t *testing.T) {
			ledger := bridgetest.NewLedger()
			log := ledger.NewLog("client", true, "a.>")
			log.Connected("node", "")
			log.Saw(open("e-0").event)
			ledger.Publish(t, "a.b", "", "m1").Acknowledged(0)
			ledger.Publish(t, "b", "", "not for this client").Acknowledged(2)
			log.Saw(event("message", test.data, at(1)).event)
			broken := ledger.Check(bridgetest.Rules{})
			if test.says == "" && len(broken) > 0 || !strings.Contains(broken.String(), test.says) {
				t.Errorf("it does not say %q:\n%s", test.says, broken)
			}
		})
	}
}
