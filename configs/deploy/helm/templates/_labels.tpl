{{- define "labels" -}}
app.kubernetes.io/name: tailwater
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}
