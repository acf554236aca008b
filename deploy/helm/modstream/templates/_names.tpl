{{/* The name of the release's objects. Pods are called NAME-ROLE-ORDINAL. A label of a StatefulSet's
pods has this name and a hash, which must fit into 63 characters. */}}
{{- define "modstream.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 38 | trimSuffix "-" -}}
{{- end -}}

{{- define "modstream.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "modstream.selector" -}}
app.kubernetes.io/name: modstream
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "modstream.labels" -}}
{{ include "modstream.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{/* The labels of a role's objects. Takes root and role. */}}
{{- define "modstream.roleLabels" -}}
{{ include "modstream.labels" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "modstream.roleSelector" -}}
{{ include "modstream.selector" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "modstream.serviceAccount" -}}
{{- default (include "modstream.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{/* A text as a part of the name of an object. */}}
{{- define "modstream.dns" -}}
{{- regexReplaceAll "[^a-z0-9]+" (lower .) "-" | trimAll "-" -}}
{{- end -}}

{{/* The roles that the values switch on, as JSON. */}}
{{- define "modstream.roles" -}}
{{- $roles := list -}}
{{- range list "worker" "joiner" "learner" "retrainer" "aggregator" "calibrator" "materializer" "gateway" "dashboard" -}}
{{- if (index $.Values .).enabled -}}{{- $roles = append $roles . -}}{{- end -}}
{{- end -}}
{{- $roles | toJson -}}
{{- end -}}

{{/* What modstream's tables say of rights and topics: written by `make chart`. */}}
{{- define "modstream.tables" -}}
{{- .Files.Get "files/tables.json" -}}
{{- end -}}

{{/* A name of the tables in this installation. Takes root and name. */}}
{{- define "modstream.kafkaName" -}}
{{- .name | replace "@prefix" .root.Values.prefix | replace "@stream" .root.Values.stream -}}
{{- end -}}

{{- define "modstream.logsInferences" -}}
{{- if dig "inference_log" "enabled" false .Values.settings -}}yes{{- end -}}
{{- end -}}
