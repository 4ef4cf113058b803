{{/* What serves metrics in the controller's pods: name and number of its port. A further one takes a line here, and its
container a port of that name. */}}
{{- define "san-csi.metrics.ports" -}}
metrics: 8080
provisioner: 8081
attacher: 8082
resizer: 8083
{{- if include "san-csi.snapshots" . }}
snapshotter: 8084
{{- end }}
{{- end }}

{{/* The Service and the ServiceMonitor of a component's ports. Takes root, component and ports (name: number). */}}
{{- define "san-csi.metrics" -}}
{{- $root := .root }}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "san-csi.fullname" $root }}-{{ .component }}-metrics
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "san-csi.labels" . | nindent 4 }}
spec:
  type: ClusterIP
  clusterIP: None
  selector:
    {{- include "san-csi.selector" . | nindent 4 }}
  ports:
    {{- range $name, $port := .ports }}
    - name: {{ $name }}
      port: {{ $port }}
      targetPort: {{ $name }}
      protocol: TCP
    {{- end }}
{{- $monitor := $root.Values.controller.serviceMonitor }}
{{- if and $monitor.enabled (or $monitor.forceEnable ($root.Capabilities.APIVersions.Has "monitoring.coreos.com/v1")) }}
---
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ include "san-csi.fullname" $root }}-{{ .component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "san-csi.labels" . | nindent 4 }}
    {{- with $monitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "san-csi.selector" . | nindent 6 }}
  endpoints:
    {{- range $name, $_ := .ports }}
    - port: {{ $name }}
      interval: {{ $monitor.interval }}
    {{- end }}
{{- end }}
{{- end }}
