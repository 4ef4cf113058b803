{{/* Settings that exclude each other: the schema cannot see them. */}}
{{- define "san-csi.validate" -}}
{{- if and .Values.arraysSecret (or .Values.arrays .Values.evaluation.enabled) -}}
{{- fail "arraysSecret: the arrays come from that Secret alone; leave arrays empty and evaluation.enabled false" -}}
{{- end -}}
{{- if not (or .Values.arraysSecret .Values.arrays .Values.evaluation.enabled) -}}
{{- fail "no array: set arrays, arraysSecret (a Secret with a key arrays.yaml), or evaluation.enabled=true to try it without a SAN" -}}
{{- end -}}
{{- range .Values.arrays -}}
{{- if and $.Values.evaluation.enabled (eq .name "evaluation") -}}
{{- fail "arrays: the name \"evaluation\" is the evaluation array's" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.node.topologyKeys (not .Values.node.startupTaint.removal) -}}
{{- fail "node.topologyKeys: the node plugin may read its Node with node.startupTaint.removal only" -}}
{{- end -}}
{{- if and .Values.snapshots.enabled (not (include "san-csi.snapshots" .)) -}}
{{- fail "snapshots.enabled: this cluster has no snapshot CRDs (snapshot.storage.k8s.io/v1); install them, or set snapshots.forceEnable" -}}
{{- end -}}
{{- if and .Values.snapshots.groups (not .Values.snapshots.enabled) -}}
{{- fail "snapshots.groups: needs snapshots.enabled" -}}
{{- end -}}
{{- end }}

{{/* Not empty where snapshots are on and their CRDs are there. */}}
{{- define "san-csi.snapshots" -}}
{{- if and .Values.snapshots.enabled (or .Values.snapshots.forceEnable (.Capabilities.APIVersions.Has "snapshot.storage.k8s.io/v1")) -}}true{{- end -}}
{{- end }}
