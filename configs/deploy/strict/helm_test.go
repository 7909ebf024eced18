package strict

import (
	"regexp"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const chart = "../helm"

// helm lint has nothing to say.
func TestHelmLint(t *testing.T) {
	for _, message := range lint.RunAll(chart, nil, "default").Messages {
		t.Error(message)
	}
}

// render returns what helm install tailwater makes of the chart, with these values instead of its own.
func render(t *testing.T, values string) (m *manifests, missing []string) {
	t.Helper()
	loaded, err := loader.Load(chart)
	if err != nil {
		t.Fatal(err)
	}
	var set map[string]any
	if err := yaml.UnmarshalStrict([]byte(values), &set); err != nil {
		t.Fatal(err)
	}
	all, err := util.ToRenderValues(loaded, set, common.ReleaseOptions{Name: "tailwater", Namespace: "default"}, common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	files, err := engine.Engine{Strict: true}.Render(loaded, all)
	if err != nil {
		t.Fatal(err)
	}
	var documents []string
	for _, text := range files {
		if regexp.MustCompile(`(?m)^kind: `).MatchString(text) {
			documents = append(documents, text)
		}
	}
	return decode(t, documents)
}

func installed(t *testing.T) *manifests {
	t.Helper()
	m, missing := render(t, "")
	if len(missing) > 0 {
		t.Errorf("there is no %v", missing)
	}
	return m
}

// The chart makes what the base of kustomize makes, but for what belongs to a release of Helm.
func TestChartIsTheBase(t *testing.T) {
	base, made := kustomized(t).comparable(t), installed(t).comparable(t)
	if base != made {
		t.Errorf("kustomize makes\n%s\nand Helm\n%s", base, made)
	}
}

// comparable returns the manifests without the names and checksums by which kustomize and Helm tell one version from another.
func (m *manifests) comparable(t *testing.T) string {
	t.Helper()
	pod := &m.deployment.Spec.Template
	for _, labels := range []map[string]string{
		m.deployment.Labels, m.service.Labels, m.deployment.Spec.Selector.MatchLabels, m.service.Spec.Selector, m.disruption.Spec.Selector.MatchLabels, pod.Labels,
		pod.Spec.TopologySpreadConstraints[0].LabelSelector.MatchLabels,
	} {
		delete(labels, "app.kubernetes.io/instance")
	}
	m.settings.Labels, m.disruption.Labels, m.autoscaler.Labels = nil, nil, nil
	delete(pod.Annotations, "checksum/settings")
	m.settings.Name, pod.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name = "", ""
	text, err := yaml.Marshal([]any{m.deployment, m.service, m.settings, m.disruption, m.autoscaler})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Without an autoscaler the number of bridges is fixed. A setting that is changed rolls the bridges, and none is lost.
func TestValuesOfTheChart(t *testing.T) {
	m, missing := render(t, "{autoscaling: {enabled: false, minReplicas: 3}, image: {tag: v1.2.3}, settings: {TAILWATER_LIMIT_BODY: 1MiB}}")
	if len(missing) != 1 || missing[0] != "HorizontalPodAutoscaler" || *m.deployment.Spec.Replicas != 3 {
		t.Errorf("%v bridges, without %v", m.deployment.Spec.Replicas, missing)
	}
	if image := m.deployment.Spec.Template.Spec.Containers[0].Image; image != "registry.example.com/tailwater:v1.2.3" {
		t.Errorf("the image is %s", image)
	}
	if m.settings.Data["TAILWATER_LIMIT_BODY"] != "1MiB" || m.settings.Data["TAILWATER_HTTP_HOSTS"] != "chat.example.com" {
		t.Errorf("the settings are %v", m.settings.Data)
	}
	checksum := func(m *manifests) string { return m.deployment.Spec.Template.Annotations["checksum/settings"] }
	if before := checksum(installed(t)); before == "" || before == checksum(m) {
		t.Errorf("settings have the checksum %q, and changed ones too", before)
	}
}
