// Package strict holds the manifests of configs/deploy to the types of the programs that read them.
package strict

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// manifests are what Kubernetes gets.
type manifests struct {
	deployment appsv1.Deployment
	service    corev1.Service
	settings   corev1.ConfigMap
	disruption policyv1.PodDisruptionBudget
	autoscaler autoscalingv2.HorizontalPodAutoscaler
}

// decode reads documents that have each kind once, and no field that Kubernetes does not know. Kinds without a document are returned.
func decode(t *testing.T, documents []string) (m *manifests, missing []string) {
	t.Helper()
	m = &manifests{}
	kinds := map[string]any{"Deployment": &m.deployment, "Service": &m.service, "ConfigMap": &m.settings, "PodDisruptionBudget": &m.disruption, "HorizontalPodAutoscaler": &m.autoscaler}
	for _, document := range documents {
		var about struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &about); err != nil {
			t.Fatalf("%v:\n%s", err, document)
		}
		into, ok := kinds[about.Kind]
		if !ok {
			t.Fatalf("there is another %s, or an unknown one", about.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
			t.Errorf("%s: %v", about.Kind, err)
		}
		delete(kinds, about.Kind)
	}
	return m, slices.Sorted(maps.Keys(kinds))
}

func kustomized(t *testing.T) *manifests {
	t.Helper()
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	for _, resource := range made.Resources() {
		document, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, string(document))
	}
	m, missing := decode(t, documents)
	if len(missing) > 0 {
		t.Errorf("there is no %v", missing)
	}
	return m
}

// The parts of what kustomize and Helm make find each other.
func TestKubernetes(t *testing.T) {
	for name, make := range map[string]func(*testing.T) *manifests{"kustomize": kustomized, "Helm": installed} {
		t.Run(name, func(t *testing.T) {
			m := make(t)
			pod := m.deployment.Spec.Template
			container := pod.Spec.Containers[0]
			if from := container.EnvFrom[0].ConfigMapRef.Name; from != m.settings.Name || !strings.HasPrefix(from, "tailwater") {
				t.Errorf("settings come from %q instead of %q", from, m.settings.Name)
			}
			for name := range m.settings.Data {
				if !strings.HasPrefix(name, "TAILWATER_") {
					t.Errorf("%s is no setting", name)
				}
			}
			for selects, selector := range map[string]map[string]string{
				"deployment": m.deployment.Spec.Selector.MatchLabels, "service": m.service.Spec.Selector, "disruption": m.disruption.Spec.Selector.MatchLabels,
				"spread": pod.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
			} {
				for key, value := range selector {
					if pod.Labels[key] != value {
						t.Errorf("the %s selects %s=%s, which no pod has", selects, key, value)
					}
				}
			}
			ports := map[string]bool{}
			for _, port := range container.Ports {
				ports[port.Name] = true
			}
			for _, name := range []string{
				m.service.Spec.Ports[0].TargetPort.StrVal, container.ReadinessProbe.HTTPGet.Port.StrVal, container.LivenessProbe.HTTPGet.Port.StrVal, container.StartupProbe.HTTPGet.Port.StrVal,
			} {
				if !ports[name] {
					t.Errorf("there is no port %q", name)
				}
			}
			if m.autoscaler.Spec.ScaleTargetRef.Name != m.deployment.Name {
				t.Errorf("the autoscaler scales %s", m.autoscaler.Spec.ScaleTargetRef.Name)
			}
			if m.deployment.Spec.Replicas != nil {
				t.Error("each update would set the number of bridges, which is the autoscaler's")
			}
		})
	}
}

// Compose accepts the file, and knows every field of it.
func TestCompose(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../compose.yaml"}, cli.WithName("tailwater"))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if names := project.ServiceNames(); len(names) != 3 {
		t.Errorf("the services are %q", names)
	}
}
