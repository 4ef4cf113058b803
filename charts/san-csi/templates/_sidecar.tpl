{{/* A sidecar of the controller. Takes root, key (in sidecars), name, workers (a flag) and args.
No election of its own: the driver is ready only where it leads, and the sidecar waits for that.
What an outage of the array has delayed is tried again within a minute of its end, not of five (the sidecars' default). */}}
{{- define "san-csi.sidecar" -}}
{{- $s := index .root.Values.sidecars .key -}}
{{- $port := get (include "san-csi.metrics.ports" .root | fromYaml) .key -}}
- name: {{ .name }}
  image: {{ include "san-csi.image" (dict "root" .root "image" $s.image) }}
  imagePullPolicy: {{ $s.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --leader-election=false
    - --v={{ .root.Values.logLevel }}
    - --timeout={{ $s.timeout }}
    - --retry-interval-max=1m
    - --{{ .workers }}={{ $s.workerThreads }}
    - --kube-api-qps={{ $s.kubeAPI.qps }}
    - --kube-api-burst={{ $s.kubeAPI.burst }}
    {{- range .args }}
    - {{ . }}
    {{- end }}
    {{- if .root.Values.controller.enableMetrics }}
    - --http-endpoint=:{{ $port }}
    {{- end }}
    {{- range $s.additionalArgs }}
    - {{ . | quote }}
    {{- end }}
  env:
    - name: NAMESPACE
      valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- if .root.Values.controller.enableMetrics }}
  ports:
    - name: {{ .key }}
      containerPort: {{ $port }}
      protocol: TCP
  {{- end }}
  resources:
    {{- toYaml $s.resources | nindent 4 }}
  securityContext:
    {{- toYaml (default .root.Values.controller.securityContext $s.securityContext) | nindent 4 }}
  volumeMounts:
    - name: socket
      mountPath: /csi
{{- end }}
