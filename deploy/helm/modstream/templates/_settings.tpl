{{/* The settings that all roles share, as environment variables. A value of settings that is a map
or a list is JSON, which modstream reads; so are numbers, which Helm would print as 1.048576e+06. */}}
{{- define "modstream.settings" -}}
MODSTREAM_BOOTSTRAP: {{ .Values.kafka.bootstrap | quote }}
MODSTREAM_REDIS: {{ .Values.redis.url | quote }}
MODSTREAM_STREAM: {{ .Values.stream | quote }}
MODSTREAM_ROUTE: {{ .Values.route | toJson | quote }}
{{- with .Values.prefix }}
MODSTREAM_PREFIX: {{ . | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
{{- if not (kindIs "invalid" $value) }}
MODSTREAM_{{ upper $name }}: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
{{- end }}
{{- end -}}
