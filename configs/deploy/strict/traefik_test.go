package strict

import (
	"strings"
	"testing"

	"github.com/traefik/genconf/dynamic"
	"github.com/traefik/paerser/file"
)

// Traefik reads the file as it is meant: its own decoder knows every field, and its parts find each other.
func TestTraefik(t *testing.T) {
	var config dynamic.Configuration
	if err := file.Decode("../traefik.yaml", &config); err != nil {
		t.Fatal(err)
	}
	router := config.HTTP.Routers["tailwater"]
	if router == nil || !strings.Contains(router.Rule, "Host(`chat.example.com`)") || router.TLS == nil {
		t.Fatalf("the router is %+v", router)
	}
	retry := config.HTTP.Middlewares[router.Middlewares[0]]
	if retry == nil || retry.Retry == nil || retry.Retry.Attempts < 2 || retry.Retry.InitialInterval != "500ms" {
		t.Errorf("the middleware is %+v", retry)
	}
	service := config.HTTP.Services[router.Service]
	if service == nil || len(service.LoadBalancer.Servers) != 1 || service.LoadBalancer.Servers[0].URL != "http://127.0.0.1:8080" {
		t.Errorf("the service is %+v", service)
	}
}
