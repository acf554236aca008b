"""Wrong values are refused before anything is installed, by a sentence that names the value."""

import pytest

from tests.deploy.chart import refusal, render

TLS = {"enabled": True, "caSecret": "ca"}
REFUSED = {
    "an unknown value": ({"worker": {"replica": 3}}, ["worker", "replica"]),
    "an unknown section": ({"workers": {}}, ["workers"]),
    "a number as a text": ({"worker": {"replicas": "3"}}, ["worker/replicas"]),
    "a negative number": ({"worker": {"replicas": -1}}, ["worker/replicas"]),
    "a text as a number": ({"stream": 7}, ["stream"]),
    "a stream with a space": ({"stream": "my flights"}, ["stream"]),
    "a prefix with a slash": ({"prefix": "a/b"}, ["prefix"]),
    "an unknown setting": ({"settings": {"dedup": 1}}, ["settings", "dedup"]),
    "a setting of the wrong type": (
        {"settings": {"batch": {"max_records": "many"}}},
        ["settings/batch/max_records"],
    ),
    "an unknown field of a group": ({"settings": {"batch": {"size": 1}}}, ["batch", "size"]),
    "a share above 1": ({"settings": {"challenger_share": 2}}, ["settings/challenger_share"]),
    "a setting that the chart has": ({"settings": {"redis": "redis://r"}}, ["settings", "redis"]),
    "a password among the settings": (
        {"settings": {"kafka_security": {"password": "p"}}},
        ["settings", "kafka_security"],
    ),
    "a password as an option of librdkafka": (
        {"settings": {"kafka": {"sasl.password": "p"}}},
        ["sasl.password"],
    ),
    "a password in the URL of Redis": ({"redis": {"url": "redis://u:p@redis:6379"}}, ["redis/url"]),
    "a password in the URL of the store": (
        {"settings": {"prediction_store": {"url": "postgresql://u:p@db/x"}}},
        ["settings/prediction_store/url"],
    ),
    "a bootstrap server without a port": ({"kafka": {"bootstrap": "kafka"}}, ["kafka/bootstrap"]),
    "an impossible port": ({"kafka": {"bootstrap": "kafka:70000"}}, ["kafka.bootstrap"]),
    "Kerberos": ({"kafka": {"mechanism": "GSSAPI"}}, ["kafka/mechanism"]),
    "a login without a Secret": (
        {"kafka": {"mechanism": "PLAIN", "username": "u"}},
        ["kafka.secret", "worker"],
    ),
    "a login without a user": (
        {"kafka": {"mechanism": "SCRAM-SHA-512", "secret": "kafka"}},
        ["kafka.username"],
    ),
    "tokens without an address": (
        {"kafka": {"mechanism": "OAUTHBEARER", "username": "u", "secret": "kafka"}},
        ["kafka.tokenUrl"],
    ),
    "a certificate without TLS": ({"kafka": {"tls": {"caSecret": "ca"}}}, ["kafka.tls.enabled"]),
    "a client's certificate without a Secret": (
        {"kafka": {"tls": {**TLS, "clientCertificate": True}}},
        ["kafka.secret"],
    ),
    "a user of Redis without a password": ({"redis": {"username": "u"}}, ["redis.secret"]),
    "a certificate of Redis without TLS": (
        {"redis": {"tls": {"caSecret": "ca"}}},
        ["redis.tls.enabled"],
    ),
    "no memory limit": (
        {"worker": {"resources": {"limits": {"memory": None}}}},
        ["worker/resources/limits", "memory"],
    ),
    "a quantity that is none": (
        {"worker": {"resources": {"requests": {"memory": "1 GB"}}}},
        ["worker/resources/requests/memory"],
    ),
    "a grace period that is too short": (
        {"worker": {"terminationGracePeriodSeconds": 5}},
        ["worker/terminationGracePeriodSeconds"],
    ),
    "the user root": ({"image": {"user": 0}}, ["image/user"]),
    "a digest that is none": ({"image": {"digest": "latest"}}, ["image/digest"]),
    "more workers than partitions": (
        {"worker": {"autoscaling": {"enabled": True, "maxReplicas": 5}}},
        ["worker.autoscaling.maxReplicas", "4 partitions"],
    ),
    "a minimum above the maximum": (
        {"worker": {"autoscaling": {"enabled": True, "minReplicas": 4, "maxReplicas": 2}}},
        ["worker.autoscaling.minReplicas"],
    ),
    "Strimzi without a cluster": ({"strimzi": {"topics": True}}, ["strimzi.cluster"]),
    "Strimzi's users with another login": (
        {"strimzi": {"cluster": "prod", "users": True}},
        ["strimzi.authentication", "SCRAM-SHA-512"],
    ),
    "more replicas in sync than there are": (
        {"strimzi": {"replicas": 1}},
        ["strimzi.minInsyncReplicas"],
    ),
    "an unknown user of Strimzi": ({"strimzi": {"extraUsers": ["root"]}}, ["strimzi/extraUsers"]),
    "a peer with two kinds": (
        {"networkPolicy": {"kafka": {"to": [{"namespace": "a", "cidr": "10.0.0.0/8"}]}}},
        ["networkPolicy/kafka/to/0"],
    ),
    "an address that is none": (
        {"networkPolicy": {"redis": {"to": [{"cidr": "10.0.0.300/8"}]}}},
        ["networkPolicy/redis/to/0"],
    ),
    "a label of the chart": (
        {"worker": {"podLabels": {"app.kubernetes.io/name": "x"}}},
        ["app.kubernetes.io/name"],
    ),
    "a port that is taken": ({"metrics": {"port": 8080}}, ["metrics.port"]),
    "a monitor without metrics": (
        {"metrics": {"enabled": False, "podMonitor": {"enabled": True}}},
        ["metrics.podMonitor.enabled"],
    ),
    "a probe that outlasts its period": (
        {"probes": {"periodSeconds": 5}},
        ["probes.timeoutSeconds"],
    ),
    "two ports of one service": (
        {"gateway": {"service": {"grpcPort": 8080}}},
        ["gateway.service.grpcPort"],
    ),
}


@pytest.mark.parametrize(("values", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_value_is_refused_by_name(values, words):
    sentence = refusal(values)

    for word in words:
        assert word in sentence


def test_the_values_around_them_are_taken():
    """So the schema refuses the wrong values, and not their sections."""
    assert render(
        {
            "worker": {"replicas": 3, "resources": {"requests": {"memory": "1Gi"}}},
            "settings": {"batch": {"max_records": 9}, "kafka": {"linger.ms": "5"}},
            "networkPolicy": {"kafka": {"to": [{"cidr": "10.0.0.0/8"}]}},
            "redis": {"url": "redis://redis:6379"},
        }
    )
