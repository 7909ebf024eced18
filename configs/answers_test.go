package configs_test

import (
	"strings"
	"testing"

	"github.com/tailwater/tailwater/configs"
)

// Settings that would open answers to others than their askers are refused, with the remedy: also without a route that asks, because another bridge may.
func TestAnswersAreNotOpen(t *testing.T) {
	const ask = "ASK /ask/{model}=llm.{model}"
	for name, refused := range map[string]struct {
		set  map[string]string
		says string
	}{
		"read":       {map[string]string{"ROUTES": ask, "ANONYMOUS_SUBSCRIBE": "chat.>,answers.>"}, "TAILWATER_ANONYMOUS_SUBSCRIBE: "},
		"write":      {map[string]string{"ROUTES": ask, "ANONYMOUS_PUBLISH": "answers.*.x"}, "TAILWATER_ANONYMOUS_PUBLISH: "},
		"route":      {map[string]string{"ROUTES": ask + ",/a/{x...}=answers.{x}"}, "TAILWATER_ROUTES: "},
		"other word": {map[string]string{"ROUTES": ask, "ANSWERS": "runs", "ANONYMOUS_SUBSCRIBE": "runs.a"}, "TAILWATER_ANONYMOUS_SUBSCRIBE: "},
		"silence":    {map[string]string{"ANSWERS_SILENCE": "0s"}, "TAILWATER_ANSWERS_SILENCE: "},
		"two words":  {map[string]string{"ANSWERS": "a.b"}, "TAILWATER_ANSWERS: "},
		"wildcard":   {map[string]string{"ANSWERS": "*"}, "TAILWATER_ANSWERS: "},
		"reserved":   {map[string]string{"ANSWERS": "$JS"}, "TAILWATER_ANSWERS: "},
		"service":    {map[string]string{"ROUTES": "ASK /a=$SRV.INFO.others"}, "TAILWATER_ROUTES: "},
		"statistics": {map[string]string{"ROUTES": "ASK /a=$SRV.STATS.agents"}, "TAILWATER_ROUTES: "},
		"instance":   {map[string]string{"ROUTES": "ASK /a/{id}=$SRV.INFO.agents.{id}"}, "TAILWATER_ROUTES: "},
		"read list":  {map[string]string{"ROUTES": "/a=$SRV.INFO.agents"}, "TAILWATER_ROUTES: "},
		"list":       {map[string]string{"ROUTES": "ASK /a=$SRV.INFO.agents silence=1s,ASK /b=llm.b queries"}, ""},
		"fine":       {map[string]string{"ROUTES": ask, "ANSWERS": "runs", "ANONYMOUS_SUBSCRIBE": "answers.>,runsx.>", "ANONYMOUS_PUBLISH": "llm.>"}, ""},
		"not asked":  {map[string]string{"ANONYMOUS_SUBSCRIBE": "answers.>"}, "TAILWATER_ANONYMOUS_SUBSCRIBE: "},
		"one's own":  {map[string]string{"ANSWERS": "", "ANONYMOUS_SUBSCRIBE": "answers.>", "ROUTES": "/a/{x...}=answers.{x}"}, ""},
		"size":       {map[string]string{"ANSWERS_MAX_BYTES": "1GiB"}, ""},
		"others'":    {map[string]string{"ANSWERS_MAX_BYTES": "1GiB", "NATS_URL": "nats://h", "HISTORY": "answers.>"}, "TAILWATER_ANSWERS_MAX_BYTES: "},
		"not kept":   {map[string]string{"ANSWERS_MAX_BYTES": "1GiB", "HISTORY": "chat.>"}, "TAILWATER_ANSWERS_MAX_BYTES: "},
		"nowhere":    {map[string]string{"ANSWERS": "", "ROUTES": ask}, "TAILWATER_ANSWERS: "},
	} {
		t.Run(name, func(t *testing.T) {
			environ(t)
			for key, value := range refused.set {
				t.Setenv("TAILWATER_"+key, value)
			}
			_, err := configs.Load("", alone)
			switch {
			case refused.says == "" && err != nil:
				t.Error(err)
			case refused.says != "" && (err == nil || !strings.HasPrefix(err.Error(), refused.says)):
				t.Errorf("the error should begin with %s: %v", refused.says, err)
			}
		})
	}
}
