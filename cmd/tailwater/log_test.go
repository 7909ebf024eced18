package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tailwater/tailwater/configs"
)

// In JSON too, a duration has its unit.
func TestDurationsHaveAUnit(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out strings.Builder
		newLog(configs.Log{Format: format}, &out).Info("waited", "for", 1500*time.Millisecond)
		if !strings.Contains(out.String(), "1.5s") {
			t.Errorf("logged %s", out.String())
		}
	}
}
