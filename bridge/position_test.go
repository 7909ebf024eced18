package bridge_test

import (
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

var ids = []struct {
	id       string
	position bridge.Position
}{
	{"e-0", bridge.Position{Epoch: "e"}},
	{"e-1", bridge.Position{Epoch: "e", Seq: 1}},
	{"0-0-1", bridge.Position{Epoch: "0", Time: 1}},
	{"Az09-42-z", bridge.Position{Epoch: "Az09", Seq: 42, Time: 35}},
	{"Az09-42-10", bridge.Position{Epoch: "Az09", Seq: 42, Time: 36}},
	{"e-18446744073709551615-1y2p0ij32e8e7", bridge.Position{Epoch: "e", Seq: math.MaxUint64, Time: math.MaxInt64}},
	{strings.Repeat("e", 62) + "-1", bridge.Position{Epoch: strings.Repeat("e", 62), Seq: 1}},
}

var badIDs = []string{
	"", "-", "--", "e", "e-", "-1", "-1-1", "1", "e--1", "e-1-", "e-1-0", "e-1-1-", "e-1-1-1", "e-x", "e-1-!",
	"e-01", "e-00", "e-+1", "e--5", "e-1-01", "e-1-+1", "e-1--1", "e-1-A", "e-0x1", "e-1_000", "e-1.0",
	"e-18446744073709551616", "e-1-1y2p0ij32e8e8",
	" e-1", "e-1 ", "e-1\n", "e_-1", "e.e-1", "ü-1", "e\x00-1", "e\r-1",
	"a-1.", ".a-1", "a-1..b-1", "a-1.a-2", "a-1.b-1.a-1", "a-1.b", "a-1.b-1.c-1.d-1.e-1.f-1.g-1.h-1.i-1",
	strings.Repeat("e", 63) + "-1", strings.Repeat("e", 1<<20) + "-1",
}

func TestParseID(t *testing.T) {
	for _, test := range ids {
		if got, err := bridge.ParseID(test.id); err != nil || !slices.Equal(got, bridge.ID{test.position}) {
			t.Errorf("ParseID(%q) = %+v, %v; want %+v", test.id, got, err, test.position)
		}
		if got := test.position.String(); got != test.id {
			t.Errorf("%+v is written %q, want %q", test.position, got, test.id)
		}
	}
	for _, id := range badIDs {
		got, err := bridge.ParseID(id)
		if !errors.Is(err, bridge.ErrID) || got != nil {
			t.Errorf("ParseID(%.80q) = %+v, %v; want ErrID", id, got, err)
		} else if len(err.Error()) > 300 {
			t.Errorf("ParseID(%.80q): the error has %d bytes", id, len(err.Error()))
		}
	}
}

func TestParseIDOfSeveralLogs(t *testing.T) {
	for text, want := range map[string]bridge.ID{
		"a-1.b-2-z":                       {{Epoch: "a", Seq: 1}, {Epoch: "b", Seq: 2, Time: 35}},
		"a-1.b-1.c-1.d-1.e-1.f-1.g-1.h-1": {{Epoch: "a", Seq: 1}, {Epoch: "b", Seq: 1}, {Epoch: "c", Seq: 1}, {Epoch: "d", Seq: 1}, {Epoch: "e", Seq: 1}, {Epoch: "f", Seq: 1}, {Epoch: "g", Seq: 1}, {Epoch: "h", Seq: 1}},
	} {
		if got, err := bridge.ParseID(text); err != nil || !slices.Equal(got, want) || got.String() != text {
			t.Errorf("ParseID(%q) = %+v, %v; want %+v", text, got, err, want)
		}
	}
}

// An epoch tells streams apart, and the lives of one.
func TestEpoch(t *testing.T) {
	created := time.Unix(1_700_000_000, 1)
	epoch := bridge.Epoch("CHAT", created)
	if epoch != bridge.Epoch("CHAT", created.In(time.FixedZone("", 3600))) {
		t.Error("the epoch depends on the time zone")
	}
	for _, other := range []string{bridge.Epoch("chat", created), bridge.Epoch("CHAT", created.Add(1))} {
		if other == epoch || len(other) != len(epoch) {
			t.Errorf("the epochs %q and %q are alike", epoch, other)
		}
	}
	if _, err := bridge.ParseID(bridge.Position{Epoch: epoch}.String()); err != nil {
		t.Error(err)
	}
}

// idForm is what an event id looks like; whether its numbers are in range is for the numbers to say.
var idForm = regexp.MustCompile(`^[0-9A-Za-z]+-(0|[1-9][0-9]*)(-[1-9a-z][0-9a-z]*)?(\.[0-9A-Za-z]+-(0|[1-9][0-9]*)(-[1-9a-z][0-9a-z]*)?)*$`)

func FuzzParseID(f *testing.F) {
	for _, test := range ids {
		f.Add(test.id)
	}
	for _, id := range badIDs {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		parsed, err := bridge.ParseID(id)
		if err != nil {
			if !errors.Is(err, bridge.ErrID) {
				t.Fatalf("ParseID(%q): %v", id, err)
			}
			return
		}
		if parsed.String() != id || len(id) > 8*65-1 || !idForm.MatchString(id) {
			t.Fatalf("ParseID(%q) = %+v, which is written %q", id, parsed, parsed)
		}
	})
}

// Whatever position has an id, ParseID takes the id back to it.
func FuzzPosition(f *testing.F) {
	f.Add("e1", uint64(0), int64(0))
	f.Add("SVRH2KJ6TZQ4", uint64(math.MaxUint64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, epoch string, seq uint64, time int64) {
		if !regexp.MustCompile(`^[0-9A-Za-z]{1,29}$`).MatchString(epoch) || time < 0 {
			t.Skip()
		}
		want := bridge.Position{Epoch: epoch, Seq: seq, Time: time}
		if got, err := bridge.ParseID(want.String()); err != nil || !slices.Equal(got, bridge.ID{want}) {
			t.Fatalf("ParseID(%q) = %+v, %v; want %+v", want, got, err, want)
		}
	})
}
