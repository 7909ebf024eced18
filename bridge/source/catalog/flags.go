package catalog

import (
	"slices"
	"strings"
	"time"

	"github.com/tailwater/tailwater/bridge"
)

// duration returns a duration as the nats command expects it.
func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// subjectsFlag returns the flag that sets a stream's subjects. It reports false if the nats tool would split one of them, or if
// JetStream would refuse one to a stream that acknowledges.
func subjectsFlag(subjects []string) (string, bool) {
	for _, s := range subjects {
		if strings.Contains(s, ",") || reachesNATS(bridge.Subject(s)) {
			return "", false
		}
	}
	return "--subjects=" + strings.Join(slices.Sorted(slices.Values(subjects)), ","), true
}

// reachesNATS reports whether JetStream refuses a subject to a stream that acknowledges: the stream would store its own answers.
func reachesNATS(subject bridge.Subject) bool {
	return slices.ContainsFunc([]bridge.Subject{"$JS.>", "$JSC.>", "$NRG.>", "$SYS.>"}, subject.Overlaps)
}
