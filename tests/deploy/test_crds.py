"""What the chart makes for the operators of Prometheus, KEDA and Strimzi is what their own definitions allow."""

import copy
import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2] / "deploy/crds")]

import fetch  # noqa: E402
import found  # noqa: E402
import schema  # noqa: E402
from test_chart import render  # noqa: E402

ON = {
    "monitoring.serviceMonitor": "true",
    "monitoring.prometheusRule": "true",
    "monitoring.labels.release": "prometheus",
    "autoscaling.kind": "keda",
    "autoscaling.prometheus": "http://prometheus:9090",
    "strimzi.topics": "true",
}
SECURE = {
    "kafka.securityProtocol": "SASL_SSL",
    "kafka.saslMechanism": "SCRAM-SHA-512",
    "kafka.existingSecret": "kafka-login",
    "kafka.caSecret": "kafka-ca",
    "strimzi.users": "true",
}
pytestmark = [
    found.needs("helm", "make test-tools"),
    pytest.mark.skipif(
        not fetch.present() and not found.IN_CI,
        reason="no definitions of operators' resources: run make test-tools (needs Go and Maven)",
    ),
]


@pytest.fixture(scope="module")
def definitions():
    return fetch.definitions()


@pytest.mark.parametrize("more", [{}, SECURE], ids=["plain", "secured"])
def test_every_operator_resource_fits_its_definition(definitions, more):
    documents = [one for one in render(**ON, **more) if one["kind"] in fetch.KINDS]
    wanted = fetch.KINDS if more else fetch.KINDS - {"KafkaUser"}
    assert {one["kind"] for one in documents} == wanted
    for document in documents:
        assert schema.faults(document, definitions[document["kind"]]) == [], document["kind"]


def test_a_mistake_in_each_kind_is_found(definitions):
    documents = {one["kind"]: one for one in render(**ON, **SECURE) if one["kind"] in fetch.KINDS}
    for kind, document in documents.items():
        unknown = copy.deepcopy(document)
        unknown["spec"]["speling"] = 1
        assert any("speling" in line for line in schema.faults(unknown, definitions[kind])), kind
        other = {**document, "apiVersion": document["apiVersion"].replace("/v", "/v9")}
        assert "is not served" in schema.faults(other, definitions[kind])[0]
    wrong = copy.deepcopy(documents["ScaledObject"])
    wrong["spec"]["maxReplicaCount"] = "many"
    assert any("maxReplicaCount" in line for line in schema.faults(wrong, definitions["ScaledObject"]))
    wrong = copy.deepcopy(documents["KafkaTopic"])
    wrong["spec"]["partitions"] = "twelve"
    assert any("partitions" in line for line in schema.faults(wrong, definitions["KafkaTopic"]))
