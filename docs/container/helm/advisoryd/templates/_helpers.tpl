{{- define "advisoryd.selector" -}}
app.kubernetes.io/name: advisoryd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "advisoryd.labels" -}}
{{ include "advisoryd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "advisoryd.name" -}}
{{- if eq .Release.Name "advisoryd" -}}
advisoryd
{{- else -}}
{{ printf "%s-advisoryd" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end }}
