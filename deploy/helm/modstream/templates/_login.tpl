{{/* The name of a role's login to Kafka, or of its Secret. Takes root, role and key: `username` or
`secret`. The role's own value comes first, then the user that Strimzi creates, then the common
value. Strimzi gives a user and its Secret one name. */}}
{{- define "modstream.kafkaLogin" -}}
{{- $own := index (index .root.Values .role).kafka .key -}}
{{- if $own -}}
{{- $own -}}
{{- else if .root.Values.strimzi.users -}}
{{- include "modstream.strimziUser" . -}}
{{- else -}}
{{- index .root.Values.kafka .key -}}
{{- end -}}
{{- end -}}

{{- define "modstream.strimziUser" -}}
{{- printf "%s-%s" (include "modstream.dns" (printf "%s%s" .root.Values.prefix .root.Values.stream)) .role -}}
{{- end -}}

{{- define "modstream.redisLogin" -}}
{{- default (index .root.Values.redis .key) (index (index .root.Values .role).redis .key) -}}
{{- end -}}

{{/* Where Secrets are mounted. */}}
{{- define "modstream.secretFolder" -}}/run/secrets/modstream{{- end -}}

{{- define "modstream.usesRedis" -}}
{{- $role := index (include "modstream.tables" .root | fromJson).roles .role -}}
{{- if $role.redis -}}yes{{- end -}}
{{- end -}}

{{/* The environment variables of a role's logins: names and files, never a secret. */}}
{{- define "modstream.loginVariables" -}}
{{- $values := .root.Values -}}
{{- $folder := include "modstream.secretFolder" . -}}
{{- with $values.kafka.mechanism }}
MODSTREAM_KAFKA_SECURITY__MECHANISM: {{ . | quote }}
{{- if eq . "OAUTHBEARER" }}
MODSTREAM_KAFKA_SECURITY__TOKEN_URL: {{ $values.kafka.tokenUrl | quote }}
MODSTREAM_KAFKA_SECURITY__CLIENT_ID: {{ include "modstream.kafkaLogin" (merge (dict "key" "username") $) | quote }}
MODSTREAM_KAFKA_SECURITY__CLIENT_SECRET_FILE: {{ $folder }}/kafka/password
{{- with $values.kafka.scope }}
MODSTREAM_KAFKA_SECURITY__SCOPE: {{ . | quote }}
{{- end }}
{{- else }}
MODSTREAM_KAFKA_SECURITY__USERNAME: {{ include "modstream.kafkaLogin" (merge (dict "key" "username") $) | quote }}
MODSTREAM_KAFKA_SECURITY__PASSWORD_FILE: {{ $folder }}/kafka/password
{{- end }}
{{- end }}
{{- if $values.kafka.tls.enabled }}
MODSTREAM_KAFKA_SECURITY__TLS: "true"
{{- if $values.kafka.tls.caSecret }}
MODSTREAM_KAFKA_SECURITY__CA_FILE: {{ $folder }}/kafka/ca.crt
{{- end }}
{{- if $values.kafka.tls.clientCertificate }}
MODSTREAM_KAFKA_SECURITY__CERTIFICATE_FILE: {{ $folder }}/kafka/user.crt
MODSTREAM_KAFKA_SECURITY__KEY_FILE: {{ $folder }}/kafka/user.key
{{- if $values.kafka.tls.keyPasswordKey }}
MODSTREAM_KAFKA_SECURITY__KEY_PASSWORD_FILE: {{ $folder }}/kafka/key-password
{{- end }}
{{- end }}
{{- end }}
{{- if include "modstream.usesRedis" . }}
{{- if include "modstream.redisLogin" (merge (dict "key" "secret") .) }}
{{- with include "modstream.redisLogin" (merge (dict "key" "username") .) }}
MODSTREAM_REDIS_SECURITY__USERNAME: {{ . | quote }}
{{- end }}
MODSTREAM_REDIS_SECURITY__PASSWORD_FILE: {{ $folder }}/redis/password
{{- end }}
{{- if $values.redis.tls.enabled }}
MODSTREAM_REDIS_SECURITY__TLS: "true"
{{- if $values.redis.tls.caSecret }}
MODSTREAM_REDIS_SECURITY__CA_FILE: {{ $folder }}/redis/ca.crt
{{- end }}
{{- if $values.redis.tls.certificateSecret }}
MODSTREAM_REDIS_SECURITY__CERTIFICATE_FILE: {{ $folder }}/redis/tls.crt
MODSTREAM_REDIS_SECURITY__KEY_FILE: {{ $folder }}/redis/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- if and $values.signing.secret (has .role (list "learner" "retrainer")) }}
MODSTREAM_SIGNING_KEY: {{ $folder }}/signing/key
{{- end }}
{{- if and $values.gateway.apiKeysSecret (has .role (list "gateway" "dashboard")) }}
MODSTREAM_GATEWAY__API_KEYS: {{ $folder }}/gateway/keys.json
{{- end }}
{{- end -}}

{{/* The sources of the volume that has a role's Secrets. */}}
{{- define "modstream.secretSources" -}}
{{- $values := .root.Values -}}
{{- $login := include "modstream.kafkaLogin" (merge (dict "key" "secret") .) -}}
{{- if $values.kafka.mechanism }}
- secret:
    name: {{ $login | quote }}
    items:
      - key: {{ $values.kafka.passwordKey | quote }}
        path: kafka/password
{{- end }}
{{- if $values.kafka.tls.enabled }}
{{- with $values.kafka.tls.caSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: {{ $values.kafka.tls.caKey | quote }}
        path: kafka/ca.crt
{{- end }}
{{- if $values.kafka.tls.clientCertificate }}
- secret:
    name: {{ $login | quote }}
    items:
      - key: {{ $values.kafka.tls.certificateKey | quote }}
        path: kafka/user.crt
      - key: {{ $values.kafka.tls.privateKeyKey | quote }}
        path: kafka/user.key
      {{- with $values.kafka.tls.keyPasswordKey }}
      - key: {{ . | quote }}
        path: kafka/key-password
      {{- end }}
{{- end }}
{{- end }}
{{- if include "modstream.usesRedis" . }}
{{- with include "modstream.redisLogin" (merge (dict "key" "secret") .) }}
- secret:
    name: {{ . | quote }}
    items:
      - key: {{ $values.redis.passwordKey | quote }}
        path: redis/password
{{- end }}
{{- if $values.redis.tls.enabled }}
{{- with $values.redis.tls.caSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: {{ $values.redis.tls.caKey | quote }}
        path: redis/ca.crt
{{- end }}
{{- with $values.redis.tls.certificateSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: tls.crt
        path: redis/tls.crt
      - key: tls.key
        path: redis/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- if and $values.signing.secret (has .role (list "learner" "retrainer")) }}
- secret:
    name: {{ $values.signing.secret | quote }}
    items:
      - key: {{ $values.signing.key | quote }}
        path: signing/key
{{- end }}
{{- if eq .role "gateway" }}
{{- with $values.gateway.tlsSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: tls.crt
        path: gateway/tls.crt
      - key: tls.key
        path: gateway/tls.key
{{- end }}
{{- end }}
{{- if has .role (list "gateway" "dashboard") }}
{{- with $values.gateway.apiKeysSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: {{ $values.gateway.apiKeysKey | quote }}
        path: gateway/keys.json
{{- end }}
{{- end }}
{{- end -}}
