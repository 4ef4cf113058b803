{{/* What serves metrics in the controller's pods: name and number of its port. A further one takes a line here, and its
container a port of that name. */}}
{{- define "san-csi.metrics.ports" -}}
provisioner: 8081
attacher: 8082
resizer: 8083
{{- if include "san-csi.snapshots" . }}
snapshotter: 8084
{{- end }}
{{- end }}
