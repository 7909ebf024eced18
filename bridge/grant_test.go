package bridge_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge"
)

func TestCheckSubscribe(t *testing.T) {
	plain := bridge.Grant{Subscribe: []bridge.Subject{"chat.*", "time.>", "news"}, Publish: []bridge.Subject{"post"}}
	wild := bridge.Grant{Subscribe: plain.Subscribe, Wildcards: true}
	all := bridge.Grant{Subscribe: []bridge.Subject{">", "$JS.API.>", "$KV.b.>", "_INBOX.>"}, Wildcards: true}
	for _, test := range []struct {
		name    string
		grant   bridge.Grant
		subject bridge.Subject
		want    bool
	}{
		{"the zero value", bridge.Grant{}, "chat", false},
		{"the zero value", bridge.Grant{Wildcards: true}, ">", false},
		{"plain", plain, "chat.room1", true},
		{"plain", plain, "time.a.b", true},
		{"plain", plain, "news", true},
		{"plain", plain, "chat", false},
		{"plain", plain, "chat.a.b", false},
		{"plain", plain, "time", false},
		{"plain", plain, "other", false},
		{"plain", plain, "post", false},
		{"plain", plain, "chat.*", false},
		{"plain", plain, "time.>", false},
		{"wild", wild, "chat.*", true},
		{"wild", wild, "time.>", true},
		{"wild", wild, "time.*.b", true},
		{"wild", wild, "chat.>", false},
		{"wild", wild, ">", false},
		{"wild", wild, "*.room1", false},
		{"all", all, "chat.room1", true},
		{"all", all, "chat.>", true},
		{"all", all, ">", false},
		{"all", all, "*", false},
		{"all", all, "*.b", false},
		{"all", all, "$JS.API.STREAM.NAMES", false},
		{"all", all, "$KV.b.k", false},
		{"all", all, "$SYS.ping", false},
		{"all", all, "_INBOX.x", false},
	} {
		err := test.grant.CheckSubscribe(test.subject)
		if (err == nil) != test.want || err != nil && !errors.Is(err, bridge.ErrForbidden) {
			t.Errorf("%s: to read %q: %v", test.name, test.subject, err)
		}
	}
}

func TestCheckPublish(t *testing.T) {
	grant := bridge.Grant{Publish: []bridge.Subject{"chat.*", "log.>"}, Subscribe: []bridge.Subject{"time"}, Wildcards: true}
	all := bridge.Grant{Publish: []bridge.Subject{">", "$JS.API.>", "_INBOX.>"}, Wildcards: true}
	for _, test := range []struct {
		grant   bridge.Grant
		subject bridge.Subject
		want    error
	}{
		{grant, "chat.room1", nil},
		{grant, "log.a.b", nil},
		{grant, "time", bridge.ErrForbidden},
		{grant, "chat", bridge.ErrForbidden},
		{grant, "chat.a.b", bridge.ErrForbidden},
		{grant, "chat.*", bridge.ErrSubject},
		{grant, "log.>", bridge.ErrSubject},
		{grant, "other.>", bridge.ErrSubject},
		{bridge.Grant{}, "chat.room1", bridge.ErrForbidden},
		{bridge.Grant{}, "chat.>", bridge.ErrSubject},
		{all, "a", nil},
		{all, "$JS.API.STREAM.DELETE.x", bridge.ErrForbidden},
		{all, "$SYS.x", bridge.ErrForbidden},
		{all, "_INBOX.x", bridge.ErrForbidden},
	} {
		if err := test.grant.CheckPublish(test.subject); !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
			t.Errorf("to publish %q: %v, want %v", test.subject, err, test.want)
		}
	}
}

// What a route itself grants needs no permission, except filters that the caller chose.
func TestCheckRoute(t *testing.T) {
	for _, test := range []struct {
		route     string
		subject   bridge.Subject
		subscribe []bridge.Subject
		want      string // in the error without and with Wildcards, in this order; "" for none
		wild      string
	}{
		{"/config/{key...}=$KV.config.{key}", "$KV.config.a", nil, "", ""},
		{"/config/{key...}=$KV.config.{key}", "$KV.config.*", nil, "TAILWATER_ANONYMOUS_WILDCARDS", ""},
		{"/config/{key...}=$KV.config.{key}", "$KV.config.a.>", nil, "TAILWATER_ANONYMOUS_WILDCARDS", ""},
		{"/config=$KV.config.>", "$KV.config.>", nil, "", ""},
		{"/config/{key}=$KV.config.*.{key}", "$KV.config.*.a", nil, "", ""},
		{"/config/{key}=$KV.config.*.{key}", "$KV.config.*.*", nil, "TAILWATER_ANONYMOUS_WILDCARDS", ""},
		{"/user=user.{claim.sub}.>", "user.alice.>", nil, "", ""},
		{"/user/{x}=user.{claim.sub}.{x}", "user.alice.*", nil, "TAILWATER_ANONYMOUS_WILDCARDS", ""},
		{"/load=metrics.*.load", "metrics.*.load", []bridge.Subject{"metrics.>"}, "", ""},
		{"/load=metrics.*.load", "metrics.*.load", []bridge.Subject{"metrics.a.load"}, "TAILWATER_ANONYMOUS_SUBSCRIBE", "TAILWATER_ANONYMOUS_SUBSCRIBE"},
		{"/metrics/{x...}=metrics.{x}", "metrics.>", []bridge.Subject{"metrics.>"}, "TAILWATER_ANONYMOUS_WILDCARDS", ""},
		{"/all/{x...}={x}", ">", []bridge.Subject{"metrics.>"}, "nobody may use", "nobody may use"},
	} {
		for wildcards, want := range map[bool]string{false: test.want, true: test.wild} {
			err := bridge.Grant{Subscribe: test.subscribe, Wildcards: wildcards}.CheckRoute(mustRoute(t, test.route), test.subject)
			if (err == nil) != (want == "") || err != nil && (!errors.Is(err, bridge.ErrForbidden) || !strings.Contains(err.Error(), want)) {
				t.Errorf("to read %q on %s, wildcards %t: %v", test.subject, test.route, wildcards, err)
			}
		}
	}
}

// A denial wins over every permission, and its error reads like that of a missing permission.
func TestDeny(t *testing.T) {
	token := bridge.Grant{
		Subscribe: []bridge.Subject{"chat.>"}, DenySubscribe: []bridge.Subject{"chat.secret", "*.private.>"}, Wildcards: true,
		Publish: []bridge.Subject{"chat.>"}, DenyPublish: []bridge.Subject{"chat.news.*"},
	}
	anonymous := bridge.Grant{Subscribe: []bridge.Subject{"time.>", "chat.secret"}, Publish: []bridge.Subject{"chat.news.a", "log"}}
	for _, both := range []bridge.Grant{anonymous.With(token), token.With(anonymous), anonymous.With(bridge.Grant{}).With(token)} {
		for subject, want := range map[bridge.Subject]bool{
			"chat.a": true, "chat.a.b": true, "time.now": true, "chat.secret.a": true, "chat.a.*": true,
			"chat.*.b": false /* *.private.> overlaps it */, "chat.secret": false, "chat.*": false, "chat.>": false, "chat.private.a": false, "chat.private.>": false, "chat.*.a": false, "other": false,
			"time.>": false, "time.private.a": false,
		} {
			if err := both.CheckSubscribe(subject); (err == nil) != want {
				t.Errorf("to read %q: %v", subject, err)
			}
		}
		for subject, want := range map[bridge.Subject]bool{"chat.a": true, "chat.news": true, "log": true, "chat.news.a": false, "chat.news.b": false, "other": false} {
			if err := both.CheckPublish(subject); (err == nil) != want {
				t.Errorf("to write %q: %v", subject, err)
			}
		}
		denied, absent := both.CheckSubscribe("chat.secret").Error(), both.CheckSubscribe("secret.chat").Error()
		if strings.ReplaceAll(denied, "chat.secret", "secret.chat") != absent {
			t.Errorf("%q and %q should be one text", denied, absent)
		}
		if err := both.CheckRoute(mustRoute(t, "/mine/{x}=chat.{claim.sub}.{x}"), "chat.secret"); !errors.Is(err, bridge.ErrForbidden) {
			t.Errorf("a route opens what is denied: %v", err)
		}
		if err := both.CheckGrantedPublish("chat.news.a"); !errors.Is(err, bridge.ErrForbidden) {
			t.Errorf("a route opens what is denied: %v", err)
		}
		if err := both.CheckGrantedPublish("chat.*"); !errors.Is(err, bridge.ErrSubject) {
			t.Errorf("a filter to publish to: %v", err)
		}
	}
	if err := anonymous.CheckSubscribe("chat.a"); err == nil {
		t.Error("With has changed the grant that it was called on")
	}
}

// A filter needs one grant that covers it and allows filters: two grants cannot each supply half.
func TestWildcardsStayWithTheirGrant(t *testing.T) {
	plain := bridge.Grant{Subscribe: []bridge.Subject{"chat.>"}}
	wild := bridge.Grant{Subscribe: []bridge.Subject{"user.alice.>"}, Wildcards: true}
	for _, both := range []bridge.Grant{plain.With(wild), wild.With(plain)} {
		for subject, want := range map[bridge.Subject]bool{"user.alice.>": true, "user.alice.*": true, "chat.a": true, "chat.*": false, "chat.>": false, "user.>": false} {
			if err := both.CheckSubscribe(subject); (err == nil) != want {
				t.Errorf("to read %q: %v", subject, err)
			}
		}
	}
}

// A refusal says what the operator can set, and differs between two subjects by nothing but their names.
func TestRefusalTellsNothing(t *testing.T) {
	grant := bridge.Grant{Subscribe: []bridge.Subject{"used"}, Publish: []bridge.Subject{"used"}}
	hub, _ := newHub(t, bridge.DefaultMemory)
	read(t, hub, bridge.Resume{}, "secret")
	for setting, check := range map[string]func(bridge.Subject) error{
		"TAILWATER_ANONYMOUS_SUBSCRIBE": grant.CheckSubscribe,
		"TAILWATER_ANONYMOUS_PUBLISH":   grant.CheckPublish,
	} {
		used, unused := check("secret").Error(), check("unused").Error()
		if strings.ReplaceAll(used, "secret", "unused") != unused || !strings.Contains(used, setting) {
			t.Errorf("%q and %q should be one text, which names %s", used, unused, setting)
		}
	}
	if err := grant.CheckSubscribe("used"); err != nil {
		t.Error(err)
	}
	for _, reserved := range []bridge.Subject{"$JS.API.INFO", "_INBOX.a", "$KV.bucket.key"} {
		read, write := grant.CheckSubscribe(reserved), grant.CheckPublish(reserved)
		if read == nil || write == nil || !strings.Contains(read.Error(), "nobody may use") || read.Error() != write.Error() {
			t.Errorf("%q is refused by %v and %v", reserved, read, write)
		}
	}
	wildcards := bridge.Grant{Subscribe: []bridge.Subject{"a.>"}}.CheckSubscribe("a.*")
	if wildcards == nil || !strings.Contains(wildcards.Error(), "TAILWATER_ANONYMOUS_WILDCARDS") {
		t.Errorf("the refusal of a filter does not name the setting: %v", wildcards)
	}
}
