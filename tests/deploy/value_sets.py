"""Sets of values of the chart that a platform team would choose."""

ROLES = (
    *("worker", "joiner", "learner", "retrainer", "aggregator", "calibrator", "materializer"),
    *("gateway", "dashboard"),
)
KAFKA_TLS = {"enabled": True, "caSecret": "kafka-ca"}
EVERYTHING = {
    **{role: {"enabled": True} for role in ROLES},
    "image": {
        "repository": "registry.example.org/modstream",
        "digest": "sha256:" + "ab" * 32,
        "user": 1000640000,
    },
    "imagePullSecrets": ["1"],
    "route": ["online", "frozen"],
    "prefix": "acme.",
    "settings": {
        "partitions": 12,
        "retention_days": 30,
        "max_request_bytes": 1048576,
        "batch": {"max_records": 500, "max_seconds": 0.05},
        "inference_log": {"enabled": True, "retention_days": 3},
        "candidates": ["champion", "steady"],
        "challenger_share": 0.1,
        "answer_events": True,
    },
    "kafka": {
        "bootstrap": "prod-kafka-bootstrap.kafka:9093",
        "mechanism": "SCRAM-SHA-512",
        "tls": {"enabled": True, "caSecret": "prod-cluster-ca-cert"},
    },
    "redis": {
        "url": "rediss://redis.data:6380/2",
        "username": "flights",
        "secret": "redis",
        "tls": {"enabled": True, "caSecret": "redis-ca", "certificateSecret": "redis-client"},
    },
    "signing": {"secret": "signing"},
    "strimzi": {
        "cluster": "prod",
        "topics": True,
        "users": True,
        "extraUsers": ["client", "labeller", "publisher", "operator"],
    },
    "metrics": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "networkPolicy": {
        "kafka": {"ports": [9093, 9094], "to": [{"namespace": "kafka"}]},
        "redis": {"to": [{"cidr": "10.1.0.0/16"}]},
        "gateway": {"from": [{"namespace": "ingress", "podLabels": {"app": "nginx"}}]},
        "metrics": {"from": [{"namespace": "monitoring"}]},
        "extraEgress": [{"ports": [4318], "to": [{"namespace": "tracing"}]}],
    },
    "worker": {
        "enabled": True,
        "autoscaling": {"enabled": True, "maxReplicas": 12},
        "tolerations": [{"key": "models", "operator": "Equal", "value": "yes"}],
        "nodeSelector": {"pool": "models"},
        "priorityClassName": "high",
        "podAnnotations": {"example.org/team": "ml"},
        "podLabels": {"team": "ml"},
    },
    "gateway": {
        "enabled": True,
        "tlsSecret": "gateway-tls",
        "apiKeysSecret": "keys",
        "replicas": 3,
    },
    "dashboard": {"enabled": True, "origin": "https://models.example.org"},
}
SCRAM = {"kafka": {"mechanism": "SCRAM-SHA-256", "username": "flights", "secret": "kafka"}}
MUTUAL_TLS = {
    "kafka": {
        "bootstrap": "a.example.org:9094,b.example.org:9094",
        "secret": "kafka-client",
        "tls": {**KAFKA_TLS, "clientCertificate": True, "keyPasswordKey": "user.password"},
    }
}
TOKENS = {
    "kafka": {
        "mechanism": "OAUTHBEARER",
        "username": "modstream",
        "secret": "oidc",
        "passwordKey": "client-secret",
        "tokenUrl": "https://login.example.org:8443/realms/ml/token",
        "scope": "kafka",
        "tls": KAFKA_TLS,
    },
    "worker": {"autoscaling": {"enabled": True}},
}
PLAIN_TLS = {
    "kafka": {"mechanism": "PLAIN", "username": "u", "secret": "kafka", "tls": KAFKA_TLS},
    "worker": {"kafka": {"username": "worker", "secret": "kafka-worker"}},
}
MANY = {
    "settings": {"partitions": 200},
    "worker": {"replicas": 200},
    "joiner": {"replicas": 20},
    "gateway": {"replicas": 50},
}
MINIMAL = {
    **{role: {"enabled": role == "worker"} for role in ROLES},
    "metrics": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "serviceAccount": {"create": False, "name": "modstream"},
    "topologySpread": [],
    "joiner": {"enabled": False, "persistence": {"enabled": False}},
}
STRIMZI_TLS = {
    **MUTUAL_TLS,
    "kafka": {"bootstrap": "k:9093", "tls": {**KAFKA_TLS, "clientCertificate": True}},
    "strimzi": {"cluster": "prod", "users": True, "authentication": "tls"},
}
VALUE_SETS = {
    "defaults": {},
    "everything": EVERYTHING,
    "SCRAM": SCRAM,
    "PLAIN over TLS": PLAIN_TLS,
    "mutual TLS": MUTUAL_TLS,
    "tokens": TOKENS,
    "Strimzi with certificates": STRIMZI_TLS,
    "Redis without a password": {**SCRAM, "redis": {"url": "redis://redis.data"}},
    "many replicas": MANY,
    "minimal": MINIMAL,
}
