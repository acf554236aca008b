{{/* What values must not be together. A schema could refuse it, but not say why. */}}
{{- define "modstream.checks" -}}
{{- $kafka := .Values.kafka -}}
{{- $redis := .Values.redis -}}
{{- $strimzi := .Values.strimzi -}}
{{- $scaling := .Values.worker.autoscaling -}}
{{- $partitions := dig "partitions" 4 .Values.settings | int64 -}}
{{- range $role := include "modstream.roles" . | fromJsonArray -}}
{{- $login := dict "root" $ "role" $role -}}
{{- if or $kafka.mechanism $kafka.tls.clientCertificate -}}
{{- if not (include "modstream.kafkaLogin" (merge (dict "key" "secret") $login)) -}}
{{- fail (printf "kafka.secret: the login of the role %s needs a Secret, and none is named" $role) -}}
{{- end -}}
{{- end -}}
{{- if and $kafka.mechanism (not (include "modstream.kafkaLogin" (merge (dict "key" "username") $login))) -}}
{{- fail (printf "kafka.username: %s needs a user for the role %s" $kafka.mechanism $role) -}}
{{- end -}}
{{- if and (include "modstream.redisLogin" (merge (dict "key" "username") $login)) (not (include "modstream.redisLogin" (merge (dict "key" "secret") $login))) -}}
{{- fail (printf "redis.secret: the user of the role %s needs a Secret with the password" $role) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $kafka.mechanism "OAUTHBEARER") (not $kafka.tokenUrl) -}}
{{- fail "kafka.tokenUrl: OAUTHBEARER needs the address at which tokens are issued" -}}
{{- end -}}
{{- if and (not $kafka.tls.enabled) (or $kafka.tls.caSecret $kafka.tls.clientCertificate) -}}
{{- fail "kafka.tls.enabled: certificates are given, and it is false" -}}
{{- end -}}
{{- if and (not $redis.tls.enabled) (or $redis.tls.caSecret $redis.tls.certificateSecret) -}}
{{- fail "redis.tls.enabled: certificates are given, and it is false" -}}
{{- end -}}
{{- range include "modstream.kafkaPorts" . | fromJsonArray -}}
{{- if gt (int .) 65535 -}}
{{- fail (printf "kafka.bootstrap: %v is not a port" .) -}}
{{- end -}}
{{- end -}}
{{- if gt (include "modstream.urlPort" (dict "url" $redis.url "fallback" 6379) | int) 65535 -}}
{{- fail "redis.url: its port is above 65535" -}}
{{- end -}}
{{- if gt (include "modstream.urlPort" (dict "url" $kafka.tokenUrl "fallback" 443) | int) 65535 -}}
{{- fail "kafka.tokenUrl: its port is above 65535" -}}
{{- end -}}
{{- if and (or $strimzi.topics $strimzi.users) (not $strimzi.cluster) -}}
{{- fail "strimzi.cluster: topics and users need the name of the Kafka resource" -}}
{{- end -}}
{{- if $strimzi.users -}}
{{- if and (eq $strimzi.authentication "scram-sha-512") (ne $kafka.mechanism "SCRAM-SHA-512") -}}
{{- fail "strimzi.authentication: the users have passwords, so kafka.mechanism must be SCRAM-SHA-512" -}}
{{- end -}}
{{- if and (eq $strimzi.authentication "tls") (or $kafka.mechanism (not $kafka.tls.clientCertificate)) -}}
{{- fail "strimzi.authentication: the users have certificates, so kafka.mechanism must be empty and kafka.tls.clientCertificate true" -}}
{{- end -}}
{{- end -}}
{{- if gt (int $strimzi.minInsyncReplicas) (int $strimzi.replicas) -}}
{{- fail (printf "strimzi.minInsyncReplicas: %v is more than the %v replicas of strimzi.replicas" $strimzi.minInsyncReplicas $strimzi.replicas) -}}
{{- end -}}
{{- if $scaling.enabled -}}
{{- if gt (int64 $scaling.maxReplicas) $partitions -}}
{{- fail (printf "worker.autoscaling.maxReplicas: %v workers, but the topic of requests has %d partitions (settings.partitions)" $scaling.maxReplicas $partitions) -}}
{{- end -}}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) -}}
{{- fail (printf "worker.autoscaling.minReplicas: %v is more than maxReplicas, %v" $scaling.minReplicas $scaling.maxReplicas) -}}
{{- end -}}
{{- end -}}
{{- if has (int .Values.metrics.port) (list 8080 8081 8501) -}}
{{- fail (printf "metrics.port: %v is a port of the gateway or of the dashboard" .Values.metrics.port) -}}
{{- end -}}
{{- if and .Values.metrics.podMonitor.enabled (not .Values.metrics.enabled) -}}
{{- fail "metrics.podMonitor.enabled: it needs metrics.enabled" -}}
{{- end -}}
{{- if gt (int .Values.probes.timeoutSeconds) (int .Values.probes.periodSeconds) -}}
{{- fail "probes.timeoutSeconds: it is more than probes.periodSeconds" -}}
{{- end -}}
{{- if eq (int .Values.gateway.service.port) (int .Values.gateway.service.grpcPort) -}}
{{- fail "gateway.service.grpcPort: HTTP has the same port" -}}
{{- end -}}
{{- end -}}
