package load_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/tailwater/tailwater/bridge/load"
)

func text(pieces ...any) []byte {
	var b bytes.Buffer
	for _, piece := range pieces {
		switch piece := piece.(type) {
		case string:
			b.WriteString(piece)
		case load.Record:
			b.Write(load.Payload(piece, 40))
		}
	}
	return b.Bytes()
}

// cut returns a text without its end.
func cut(text []byte, by int) string { return string(text[:len(text)-by]) }

var first, second = load.Record{Subject: 3, Seq: 1}, load.Record{Subject: 0xabcdef, Seq: 0xffffffff}

var scans = []struct {
	name string
	text []byte
	want load.Scanned
}{
	{"nothing", nil, load.Scanned{}},
	{"frames", text(": hello\nretry: 2000\n\nid: 1\ndata: ", first, "\n\n", "id: 2\ndata: ", second, "\n\n"), load.Scanned{Records: []load.Record{first, second}}},
	{"comments and junk between", text(first, "\n\n:\n\n~tw~twTEST\n~~~tw", second, ":\n\n~"), load.Scanned{Records: []load.Record{first, second}}},
	{"adjacent", text(string(load.Payload(first, load.MinSize)), string(load.Payload(second, load.MinSize))), load.Scanned{Records: []load.Record{first, second}}},
	{"in an object", text(`{"subject":"a","data":"`, first, `","id":"x"}`+"\n"), load.Scanned{Records: []load.Record{first}}},
	{"of another run", text("data: ~twOTHER00000000000100000000000001..\n\n", first), load.Scanned{Records: []load.Record{first}}},
	{"a record that was cut", text(cut(load.Payload(first, load.MinSize), 20), "\n\ndata: ", second, "\n"), load.Scanned{Records: []load.Record{second}}},
	{"the end is missing", text(first, cut(load.Payload(second, load.MinSize), 1)), load.Scanned{Records: []load.Record{first}}},
	{"events of Tailwater", text(
		"event: tailwater:open\ndata: {}\n\nevent: tailwater:gap\ndata: {}\n\n", first, "\n\nevent: tailwater:reset\ndata: {}\nid: 1\n\n", second,
		`{"event":"tailwater:gap"}`+"\n"), load.Scanned{Records: []load.Record{first, second}, Gaps: 2, Resets: 1}},
}

func TestScan(t *testing.T) {
	for _, test := range scans {
		t.Run(test.name, func(t *testing.T) {
			if got := load.Scan(test.text); !reflect.DeepEqual(got, test.want) {
				t.Errorf("in one piece: %+v, want %+v", got, test.want)
			}
			for i := range test.text {
				if got := load.Scan(test.text[:i], test.text[i:]); !reflect.DeepEqual(got, test.want) {
					t.Errorf("cut at byte %d: %+v, want %+v", i, got, test.want)
				}
			}
			if got := load.Scan(slices.Collect(slices.Chunk(test.text, 1))...); !reflect.DeepEqual(got, test.want) {
				t.Errorf("byte by byte: %+v, want %+v", got, test.want)
			}
		})
	}
}

// FuzzScan proves that it does not matter where a stream is cut.
func FuzzScan(f *testing.F) {
	for _, test := range scans {
		f.Add(test.text, uint(1))
		f.Add(test.text, uint(20))
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint) {
		whole := load.Scan(stream)
		pieces := load.Scan(slices.Collect(slices.Chunk(stream, int(size%64)+1))...)
		if !reflect.DeepEqual(whole, pieces) {
			t.Errorf("whole: %+v, in pieces of %d: %+v", whole, size%64+1, pieces)
		}
	})
}

func TestOrder(t *testing.T) {
	for _, test := range []struct {
		name    string
		seqs    []uint32
		want    []string
		missing uint32
	}{
		{"in order", []uint32{1, 2, 3}, []string{"next", "next", "next"}, 0},
		{"lost", []uint32{1, 4, 5}, []string{"next", "ahead", "next"}, 2},
		{"the first is lost", []uint32{3}, []string{"ahead"}, 2},
		{"doubled", []uint32{1, 1, 2, 1}, []string{"next", "duplicate", "next", "duplicate"}, 0},
		{"swapped", []uint32{1, 3, 2, 4}, []string{"next", "ahead", "late", "next"}, 0},
		{"late and doubled", []uint32{3, 1, 1, 3}, []string{"ahead", "late", "duplicate", "duplicate"}, 1},
		{"very late", []uint32{100, 2}, []string{"ahead", "late"}, 98},
	} {
		if got, missing := load.Order(test.seqs...); !slices.Equal(got, test.want) || missing != test.missing {
			t.Errorf("%s: %v and %d missing, want %v and %d", test.name, got, missing, test.want, test.missing)
		}
	}
}
