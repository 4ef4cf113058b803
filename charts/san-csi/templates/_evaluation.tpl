{{- define "san-csi.evaluation.name" -}}
{{ include "san-csi.fullname" . }}-evaluation
{{- end }}

{{/* Where the array's API is reached. */}}
{{- define "san-csi.evaluation.host" -}}
{{- default (printf "%s.%s.svc" (include "san-csi.evaluation.name" .) .Release.Namespace) (default .Values.evaluation.clusterIP .Values.evaluation.advertise) -}}
{{- end }}

{{/* The array's entry of the arrays' file. */}}
{{- define "san-csi.evaluation.array" -}}
name: evaluation
driver: element
endpoint: https://{{ include "san-csi.evaluation.host" . }}/json-rpc/12.5
usernameFile: /etc/san-csi/evaluation/username
passwordFile: /etc/san-csi/evaluation/password
caFile: /etc/san-csi/evaluation/ca.crt
account: kubernetes
{{- end }}

{{- define "san-csi.evaluation.class" -}}
name: {{ include "san-csi.evaluation.name" . }}
parameters:
  array: evaluation
  minIOPS: "50"
  maxIOPS: "1000"
{{- end }}
