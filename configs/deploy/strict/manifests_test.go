// Package strict holds the manifests of configs/deploy to the types of the programs that read them.
package strict

import (
	"context"
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

// What kustomize makes of the folder has no field that Kubernetes does not know, and its parts find each other.
func TestKubernetes(t *testing.T) {
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), "../kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	var (
		deployment appsv1.Deployment
		service    corev1.Service
		settings   corev1.ConfigMap
		disruption policyv1.PodDisruptionBudget
		autoscaler autoscalingv2.HorizontalPodAutoscaler
	)
	kinds := map[string]any{"Deployment": &deployment, "Service": &service, "ConfigMap": &settings, "PodDisruptionBudget": &disruption, "HorizontalPodAutoscaler": &autoscaler}
	for _, resource := range made.Resources() {
		kind := resource.GetKind()
		text, err := resource.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		into, ok := kinds[kind]
		if !ok {
			t.Fatalf("there is another %s, or an unknown one", kind)
		}
		if err := yaml.UnmarshalStrict(text, into); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		delete(kinds, kind)
	}
	for kind := range kinds {
		t.Errorf("there is no %s", kind)
	}
	pod := deployment.Spec.Template
	container := pod.Spec.Containers[0]
	if from := container.EnvFrom[0].ConfigMapRef.Name; from != settings.Name || !strings.HasPrefix(from, "tailwater-") {
		t.Errorf("settings come from %q instead of %q", from, settings.Name)
	}
	for name := range settings.Data {
		if !strings.HasPrefix(name, "TAILWATER_") {
			t.Errorf("%s is no setting", name)
		}
	}
	for selects, selector := range map[string]map[string]string{
		"deployment": deployment.Spec.Selector.MatchLabels, "service": service.Spec.Selector, "disruption": disruption.Spec.Selector.MatchLabels,
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
		service.Spec.Ports[0].TargetPort.StrVal, container.ReadinessProbe.HTTPGet.Port.StrVal, container.LivenessProbe.HTTPGet.Port.StrVal, container.StartupProbe.HTTPGet.Port.StrVal,
	} {
		if !ports[name] {
			t.Errorf("there is no port %q", name)
		}
	}
	if autoscaler.Spec.ScaleTargetRef.Name != deployment.Name {
		t.Errorf("the autoscaler scales %s", autoscaler.Spec.ScaleTargetRef.Name)
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
