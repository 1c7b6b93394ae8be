{{- define "crossdock.name" -}}
{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "crossdock.selector" -}}
app.kubernetes.io/name: crossdock
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "crossdock.labels" -}}
{{ include "crossdock.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "crossdock.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* What every pod has, whatever runs in it. */}}
{{- define "crossdock.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "crossdock.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities: {drop: [ALL]}
{{- end }}

{{/* Environment: dict "root" $ "role" "all|api|worker". enableServiceLinks is off because Kubernetes would
     otherwise add CROSSDOCK_PORT and the like, which the gateway refuses as unknown settings. */}}
{{- define "crossdock.env" -}}
{{- $v := .root.Values -}}
- {name: CROSSDOCK_LISTEN, value: "0.0.0.0:8080"}
- {name: CROSSDOCK_ROLE, value: {{ .role }}}
- {name: CROSSDOCK_DATA_DIR, value: /data}
- {name: CROSSDOCK_LOG, value: {{ $v.settings.log | quote }}}
- {name: CROSSDOCK_LOG_FORMAT, value: json}
- {name: CROSSDOCK_MIN_FREE_MB, value: {{ $v.settings.minFreeMb | int64 | quote }}}
- {name: CROSSDOCK_DELIVERY_CONCURRENCY, value: {{ $v.settings.deliveryConcurrency | int64 | quote }}}
{{- with $v.settings.publicUrl }}
- {name: CROSSDOCK_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
{{- with $v.traces.endpoint }}
- {name: CROSSDOCK_OTLP_ENDPOINT, value: {{ . | quote }}}
- {name: CROSSDOCK_OTLP_RATIO, value: {{ $v.traces.ratio | quote }}}
- {name: CROSSDOCK_OTLP_QUEUE, value: {{ $v.traces.queue | int64 | quote }}}
{{- if $v.traces.existingSecret }}
- name: CROSSDOCK_OTLP_HEADERS
  valueFrom: {secretKeyRef: {name: {{ $v.traces.existingSecret }}, key: {{ $v.traces.key }}}}
{{- end }}
{{- end }}
{{- if $v.connectorsVolume }}
- {name: CROSSDOCK_CONNECTORS_DIR, value: /connectors}
{{- end }}
{{- if eq $v.mode "nodes" }}
- name: CROSSDOCK_STORE_URL
  valueFrom: {secretKeyRef: {name: {{ required "mode nodes needs store.existingSecret: a Secret with PostgreSQL's URL" $v.store.existingSecret }}, key: {{ $v.store.key }}}}
{{- end }}
- name: CROSSDOCK_ADMIN_TOKEN
  valueFrom: {secretKeyRef: {name: {{ $v.existingSecret }}, key: admin-token}}
- name: CROSSDOCK_SECRET_KEY
  valueFrom: {secretKeyRef: {name: {{ $v.existingSecret }}, key: secret-key}}
{{- with $v.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "crossdock.probes" -}}
startupProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 1
  timeoutSeconds: 2
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
# The process only: a store that is away must not restart every pod.
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{- define "crossdock.mounts" -}}
- {name: data, mountPath: /data}
{{- if .Values.connectorsVolume }}
- {name: connectors, mountPath: /connectors, readOnly: true}
{{- end }}
{{- end }}

{{/* The connectors' volume, as one entry of a pod's volumes. */}}
{{- define "crossdock.connectorsVolume" -}}
{{- with .Values.connectorsVolume }}
- name: connectors
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
