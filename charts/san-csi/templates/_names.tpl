{{/* The names' common part. */}}
{{- define "san-csi.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{/* The driver's name in Kubernetes: the program's own, no setting. */}}
{{- define "san-csi.driver" -}}san-csi.io{{- end }}

{{- define "san-csi.controller.serviceAccount" -}}
{{- default (printf "%s-controller" (include "san-csi.fullname" .)) .Values.controller.serviceAccount.name -}}
{{- end }}

{{- define "san-csi.node.serviceAccount" -}}
{{- default (printf "%s-node" (include "san-csi.fullname" .)) .Values.node.serviceAccount.name -}}
{{- end }}

{{- define "san-csi.arraysSecret" -}}
{{- default (printf "%s-arrays" (include "san-csi.fullname" .)) .Values.arraysSecret -}}
{{- end }}

{{/* What selects pods; it never changes. Takes root and component. */}}
{{- define "san-csi.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of an object. Takes root and component. */}}
{{- define "san-csi.labels" -}}
{{ include "san-csi.selector" . }}
app.kubernetes.io/part-of: san-csi
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An image's reference. Takes root and image. */}}
{{- define "san-csi.image" -}}
{{- $registry := default .image.registry .root.Values.imageRegistry -}}
{{- $name := .image.repository -}}
{{- if $registry }}{{ $name = printf "%s/%s" $registry $name }}{{ end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end }}

{{- define "san-csi.pullSecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* A ClusterRole of that name, bound to a ServiceAccount. Takes root, component, name, account and rules (YAML). */}}
{{- define "san-csi.clusterRole" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .name }}
  labels:
    {{- include "san-csi.labels" . | nindent 4 }}
rules:
{{ .rules | trim | indent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "san-csi.labels" . | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* A class's parameters as the API wants them: strings. A number in values is a float to Helm, which would write 1e+06. */}}
{{- define "san-csi.parameters" -}}
{{- range $key, $value := . }}
{{- if and (kindIs "float64" $value) (eq $value (floor $value)) }}{{ $value = int64 $value }}{{ end }}
{{ $key }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}
