package node_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/cmd/tailwater/nodetest"
)

func TestHistoryOfTheSettings(t *testing.T) {
	for _, test := range []struct {
		settings map[string]string
		want     source.History
	}{
		{nil, source.History{
			Subjects: []bridge.Subject{"chat.>", "answers.>"}, Stream: "TAILWATER", MaxAge: 24 * time.Hour, MaxBytes: 1 << 30, Shrinks: true, MaxPerSubject: 10_000, Replicas: 1,
			Manage: true, Apart: source.Apart{Token: "answers", Stream: "TAILWATER_ANSWERS", MaxBytes: 64 << 20, Shrinks: true},
		}},
		{map[string]string{"HISTORY": "", "ANSWERS": ""}, source.History{
			Stream: "TAILWATER", MaxAge: 24 * time.Hour, MaxBytes: 1 << 30, Shrinks: true, MaxPerSubject: 10_000, Replicas: 1,
			Manage: true, Apart: source.Apart{Stream: "TAILWATER_ANSWERS", MaxBytes: 64 << 20, Shrinks: true},
		}},
		{map[string]string{"HISTORY_STREAM": "S", "HISTORY": "runs.>", "ANSWERS": "runs", "ANSWERS_MAX_BYTES": "0"}, source.History{
			Subjects: []bridge.Subject{"runs.>"}, Stream: "S", MaxAge: 24 * time.Hour, MaxBytes: 1 << 30, Shrinks: true, MaxPerSubject: 10_000, Replicas: 1,
			Manage: true, Apart: source.Apart{Token: "runs", Stream: "S_ANSWERS"},
		}},
		{
			map[string]string{
				"NATS_URL": "nats://127.0.0.1:1", "HISTORY": "a.>,b", "HISTORY_STREAM": "S", "HISTORY_MAX_AGE": "0s", "HISTORY_MAX_BYTES": "2TiB",
				"HISTORY_MAX_PER_SUBJECT": "1", "HISTORY_REPLICAS": "3", "HISTORY_STORAGE": "memory",
			},
			source.History{Subjects: []bridge.Subject{"a.>", "b"}, Stream: "S", MaxBytes: 2 << 40, MaxPerSubject: 1, Replicas: 3, Memory: true},
		},
	} {
		if got := node.History(nodetest.Settings(t, test.settings)); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%v: got %+v, want %+v", test.settings, got, test.want)
		}
	}
}
