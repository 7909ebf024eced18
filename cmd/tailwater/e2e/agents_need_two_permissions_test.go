package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// What check prints is enough to list agents and to answer their queries; without either permission, the caller is told that NATS refuses it.
func TestPermissionsForAgents(t *testing.T) {
	t.Parallel()
	s := agentRoutes(settings{"ANONYMOUS_SUBSCRIBE": "chat.>"})
	wall := buildWall(t, s)
	for _, user := range append([]weakened{{user: "bridge"}}, wall.without...) {
		if user.publish && user.subject != "$SRV.INFO.agents" && user.subject != "_INBOX.>" || user.user != "bridge" && !user.publish {
			continue // TestPermissionsAreLeast takes away the others
		}
		t.Run("without "+user.subject, func(t *testing.T) {
			t.Parallel()
			run := wall.start(t, user.user, s)
			eventually(t, "the bridge is ready", run.isReady)
			a := startAgent(t, wall.url("admin-"+user.user), "one")
			status1, body1 := status(t, "POST", run.URL()+"/agents", "")
			asker := follow(t, askWith(t, "POST", run.URL()+"/agents/test.ada.one", "query Sure?", asStream))
			for range 3 {
				asker.next()
			}
			status2, body2 := status(t, "POST", run.URL()+asker.path+"?query=q-1", "yes")
			want := map[string]string{"": "200, 202", "$SRV.INFO.agents": "502, 202", "_INBOX.>": "200, 502"}[user.subject]
			if got := fmt.Sprintf("%d, %d", status1, status2); got != want {
				t.Errorf("got %s, want %s: %s %s", got, want, body1, body2)
			}
			refused, isViolated := run.log.violation()
			if isViolated != (user.subject != "") || !strings.Contains(refused, fixedTokens(user.subject)) {
				t.Errorf("refused: %s", refused)
			}
			if len(a.asked) != 1 {
				t.Errorf("%d prompts", len(a.asked))
			}
		})
	}
}
