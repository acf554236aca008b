{{/* Peers of a network policy: namespaces by name, or blocks of addresses. */}}
{{- define "modstream.peers" -}}
{{- range . }}
{{- if .namespace }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .namespace | quote }}
  {{- with .podLabels }}
  podSelector:
    matchLabels:
      {{- toYaml . | nindent 6 }}
  {{- end }}
{{- else }}
- ipBlock:
    cidr: {{ .cidr | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The ports of the bootstrap servers, each once, as JSON. */}}
{{- define "modstream.kafkaPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.kafka.bootstrap -}}
{{- $ports = append $ports (regexFind "[0-9]+$" . | atoi) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* The port of a URL, or a fallback. Takes url and fallback. */}}
{{- define "modstream.urlPort" -}}
{{- $port := regexFind ":[0-9]+" (regexReplaceAll "^[a-z]+://" .url "" | splitList "/" | first) | trimPrefix ":" -}}
{{- default .fallback $port -}}
{{- end -}}
