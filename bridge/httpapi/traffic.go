package httpapi

import (
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/tailwater/tailwater/bridge"
)

// RouteStats are the counts of one route. Routes, methods and statuses are few, whatever callers send.
type RouteStats struct {
	Route    string            // its path, such as /chat/{room}; "other" for pages, sessions, and what is no route
	Requests map[string]uint64 // by method
	Problems map[Problem]uint64
}

// Problem is a method and the status of the problem that answered it.
type Problem struct {
	Method string
	Status int
}

// traffic counts requests by route.
type traffic map[string]*routeTraffic

type routeTraffic struct {
	mu       sync.Mutex
	requests map[string]uint64
	problems map[Problem]uint64
}

// Names of routes that are not bridge.Routes.
const (
	routeSeveral = "/events"
	routeRuns    = answersPath + "{run}"
	routeMembers = "/presence/{subject...}"
	routeOther   = "other"
)

func newTraffic(routes []bridge.Route) traffic {
	names := []string{routeSeveral, routeRuns, routeMembers, routeOther}
	for _, route := range routes {
		names = append(names, route.Pattern())
	}
	t := traffic{}
	for _, name := range names {
		t[name] = &routeTraffic{requests: map[string]uint64{}, problems: map[Problem]uint64{}}
	}
	return t
}

// of returns the counts of a request's route.
func (t traffic) of(target *target) *routeTraffic {
	switch {
	case target.isSession:
		return t[routeOther]
	case target.isRun:
		return t[routeRuns]
	case target.members:
		return t[routeMembers]
	case target.route.Pattern() == "":
		return t[routeSeveral]
	}
	return t[target.route.Pattern()]
}

func (r *routeTraffic) count(method string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests[known(method)]++
}

func (r *routeTraffic) refuse(method string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems[Problem{known(method), status}]++
}

// known returns a method, unless anybody could have made it up.
func known(method string) string {
	if slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions}, method) {
		return method
	}
	return "other"
}

func (t traffic) stats() (all []RouteStats) {
	for name, r := range t {
		r.mu.Lock()
		all = append(all, RouteStats{name, maps.Clone(r.requests), maps.Clone(r.problems)})
		r.mu.Unlock()
	}
	return all
}
