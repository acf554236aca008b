{{/* The pod of a role. Takes root, role, args (of the command modstream), ports by name, and
variables, the role's own environment. */}}
{{- define "modstream.podTemplate" -}}
{{- $values := index .root.Values .role -}}
{{- $home := "/home/modstream" -}}
{{- $secrets := include "modstream.secretSources" . -}}
metadata:
  labels:
    {{- include "modstream.roleLabels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    {{- /* Settings are read once, at the start of a process: other settings start the pods anew. */}}
    checksum/settings: {{ include "modstream.settings" .root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "modstream.serviceAccount" .root | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ int64 .root.Values.image.user }}
    runAsGroup: {{ int64 .root.Values.image.group }}
    fsGroup: {{ int64 .root.Values.image.group }}
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.topologySpread }}
  topologySpreadConstraints:
    {{- range . }}
    - topologyKey: {{ .topologyKey | quote }}
      maxSkew: {{ .maxSkew }}
      whenUnsatisfiable: {{ .whenUnsatisfiable | quote }}
      labelSelector:
        matchLabels:
          {{- include "modstream.roleSelector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  containers:
    - name: modstream
      image: {{ include "modstream.image" .root | quote }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      envFrom:
        - configMapRef:
            name: {{ include "modstream.fullname" .root | quote }}
      env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: HOME
          value: {{ $home | quote }}
        - name: MODSTREAM_HOME
          value: {{ $home }}/.modstream
        - name: MODSTREAM_LOG_FORMAT
          value: json
        {{- if .root.Values.metrics.enabled }}
        - name: MODSTREAM_METRICS__HOST
          value: 0.0.0.0
        - name: MODSTREAM_METRICS__PORT
          value: {{ .root.Values.metrics.port | quote }}
        {{- end }}
        {{- $login := include "modstream.loginVariables" . | fromYaml }}
        {{- range $name, $value := merge (default dict .variables) $login }}
        - name: {{ $name | quote }}
          value: {{ $value | quote }}
        {{- end }}
      {{- if or .ports .root.Values.metrics.enabled }}
      ports:
        {{- range $name, $port := .ports }}
        - name: {{ $name | quote }}
          containerPort: {{ $port }}
        {{- end }}
        {{- if .root.Values.metrics.enabled }}
        - name: metrics
          containerPort: {{ .root.Values.metrics.port }}
        {{- end }}
      {{- end }}
      {{- .probes | nindent 6 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: home
          mountPath: {{ $home }}
        - name: tmp
          mountPath: /tmp
        {{- if $secrets }}
        - name: secrets
          mountPath: {{ include "modstream.secretFolder" . }}
          readOnly: true
        {{- end }}
  volumes:
    - name: tmp
      emptyDir:
        sizeLimit: {{ $values.tmpSize | quote }}
    {{- if not (dig "persistence" "enabled" false $values) }}
    - name: home
      emptyDir:
        sizeLimit: {{ $values.homeSize | quote }}
    {{- end }}
    {{- if $secrets }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- $secrets | nindent 10 }}
    {{- end }}
{{- end -}}

{{/* Readiness by the report that the process writes to its home directory. A process that stalls
ends itself, so there is no liveness probe: one by this report would start all pods anew, again and
again, while Kafka does not answer. */}}
{{- define "modstream.healthProbe" -}}
readinessProbe:
  exec:
    command: [modstream, health]
  periodSeconds: {{ .Values.probes.periodSeconds }}
  timeoutSeconds: {{ .Values.probes.timeoutSeconds }}
  failureThreshold: {{ .Values.probes.failureThreshold }}
{{- end -}}

{{/* Probes of a server by HTTP. Takes live, ready and scheme, and host if the server answers to one
name only. A pod that ends receives new connections until all nodes know of it, hence the pause
before SIGTERM. */}}
{{- define "modstream.httpProbes" -}}
startupProbe:
  {{- include "modstream.httpGet" (merge (dict "path" .live) .) | nindent 2 }}
  {{- /* Servers listen when Kafka answers, so a start may take as long as an outage. */}}
  periodSeconds: 2
  failureThreshold: 300
livenessProbe:
  {{- include "modstream.httpGet" (merge (dict "path" .live) .) | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- include "modstream.httpGet" (merge (dict "path" .ready) .) | nindent 2 }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
lifecycle:
  preStop:
    sleep:
      seconds: 5
{{- end -}}

{{- define "modstream.httpGet" -}}
httpGet:
  path: {{ .path | quote }}
  port: http
  scheme: {{ .scheme }}
  {{- with .host }}
  httpHeaders:
    - name: Host
      value: {{ . | quote }}
  {{- end }}
{{- end -}}

{{/* A role whose pods have names that last. Takes what the pod takes; with `scaled`, the number of
pods is left to the scaler. */}}
{{- define "modstream.statefulSet" -}}
{{- $values := index .root.Values .role -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "modstream.fullname" .root }}-{{ .role }}
  labels:
    {{- include "modstream.roleLabels" . | nindent 4 }}
spec:
  serviceName: {{ include "modstream.fullname" .root }}-pods
  {{- if not .scaled }}
  replicas: {{ dig "replicas" 1 $values }}
  {{- end }}
  podManagementPolicy: Parallel
  updateStrategy:
    type: RollingUpdate
  selector:
    matchLabels:
      {{- include "modstream.roleSelector" . | nindent 6 }}
  template:
    {{- include "modstream.podTemplate" (merge (dict "probes" (include "modstream.healthProbe" .root)) .) | nindent 4 }}
  {{- if dig "persistence" "enabled" false $values }}
  volumeClaimTemplates:
    - metadata:
        name: home
      spec:
        accessModes: [ReadWriteOnce]
        {{- with $values.persistence.storageClassName }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources:
          requests:
            storage: {{ $values.persistence.size | quote }}
  {{- end }}
{{- end -}}

{{/* A server without state. Takes what the pod takes, and probes. */}}
{{- define "modstream.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "modstream.fullname" .root }}-{{ .role }}
  labels:
    {{- include "modstream.roleLabels" . | nindent 4 }}
spec:
  replicas: {{ dig "replicas" 1 (index .root.Values .role) }}
  selector:
    matchLabels:
      {{- include "modstream.roleSelector" . | nindent 6 }}
  template:
    {{- include "modstream.podTemplate" . | nindent 4 }}
{{- end -}}
