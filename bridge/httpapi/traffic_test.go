package httpapi_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/tailwater/tailwater/bridge/httpapi"
)

// Every request is counted once, by the route of its path, whatever becomes of it: so a route's problems are never more than its requests.
func TestRequestsAreCountedByRoute(t *testing.T) {
	c := config()
	c.Routes = routes(t, "/room/{room}=chat.{room}")
	b := start(t, c)
	for _, request := range []struct {
		method, target string
		headers        []string
		route          string
		status         int // of the problem
	}{
		{http.MethodHead, "/room/one", nil, "/room/{room}", 0},
		{http.MethodGet, "/room/one", []string{"Host", "evil.example.com"}, "/room/{room}", http.StatusMisdirectedRequest},
		{http.MethodGet, "/room/one", []string{"Origin", "https://evil.example.com"}, "/room/{room}", http.StatusForbidden},
		{http.MethodDelete, "/events/chat.a", nil, "/events/{subject...}", http.StatusMethodNotAllowed},
		{http.MethodGet, "/events", nil, "/events", http.StatusBadRequest},
		{http.MethodGet, "/nowhere", nil, "other", http.StatusNotFound},
		{http.MethodGet, "/nowhere", []string{"Host", "evil.example.com"}, "other", http.StatusMisdirectedRequest},
		{http.MethodPost, "/session", nil, "other", http.StatusNotFound},
	} {
		before := routeStats(t, b, request.route)
		if a := b.do(t, request.method, request.target, nil, request.headers...); request.status != 0 && a.status != request.status {
			t.Errorf("%+v is answered %d", request, a.status)
		}
		after := routeStats(t, b, request.route)
		problem := httpapi.Problem{Method: request.method, Status: request.status}
		if after.Requests[request.method] != before.Requests[request.method]+1 || request.status != 0 && after.Problems[problem] != before.Problems[problem]+1 {
			t.Errorf("%+v is counted %+v after %+v", request, after, before)
		}
	}
}

func routeStats(t *testing.T, b *fixture, name string) httpapi.RouteStats {
	t.Helper()
	all := b.api.Stats().Routes
	i := slices.IndexFunc(all, func(r httpapi.RouteStats) bool { return r.Route == name })
	if i < 0 {
		t.Fatalf("%s is not among %+v", name, all)
	}
	return all[i]
}
