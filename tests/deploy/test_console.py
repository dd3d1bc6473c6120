"""The console of others that looks into Kafka: off unless asked for, behind a login, with rights to look and to nothing else."""

import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))

import found
from test_chart import CHART, GOOD, LOGIN, OPERATED, ROOT, environments, helm, of_kind, policies, render

pytestmark = found.needs("helm", "make test-tools")
ON = {"console.enabled": "true", "console.existingSecret": "console-login"}
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
WITH_TEXTS = ("notes.", "entities.", "annotations.", "review.", "drift.words", "access.", "desk.", "webhook.")


def the_console(**values):
    documents = render(**{**ON, **values})
    return [one for one in documents if one["metadata"]["name"].startswith("r-console")]


def test_nobody_has_it_who_did_not_ask_for_it():
    assert not [one for one in render(**OPERATED) if "console" in one["metadata"]["name"]]
    assert COMPOSE["console"]["profiles"] == ["console"]


def test_its_pod_is_restricted_asks_for_a_login_and_is_told_to_change_nothing():
    (deployment,) = of_kind(the_console(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    (container,) = pod["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    variables = {one["name"]: one for one in container["env"]}
    assert variables["KAFKA_CLUSTERS_0_READONLY"]["value"] == "true"
    assert variables["AUTH_TYPE"]["value"] == "LOGIN_FORM"
    password = variables["SPRING_SECURITY_USER_PASSWORD"]["valueFrom"]["secretKeyRef"]
    assert password == {"name": "console-login", "key": "password"}


def test_its_user_may_look_and_reads_no_topic_with_texts():
    (user,) = of_kind(the_console(**OPERATED), "KafkaUser")
    rights = user["spec"]["authorization"]["acls"]
    assert {operation for one in rights for operation in one["operations"]} == {"Read", "Describe", "DescribeConfigs"}
    read = {one["resource"]["name"] for one in rights if "Read" in one["operations"]}
    assert {"model.events.v1", "drift.detected.v1"} <= read
    assert not [name for name in read if name.startswith(WITH_TEXTS)]
    known = {one["spec"]["topicName"] for one in of_kind(render(**OPERATED), "KafkaTopic")}
    assert {one["resource"]["name"] for one in rights if one["resource"]["type"] == "topic"} == known
    (groups,) = [one for one in rights if one["resource"]["type"] == "group"]
    assert groups == {
        "resource": {"type": "group", "name": "rxtract-", "patternType": "prefix"},
        "operations": ["Describe"],
    }
    variables = environments(the_console(**OPERATED))["console"]
    login = variables["KAFKA_CLUSTERS_0_PROPERTIES_SASL_JAAS_CONFIG"]["valueFrom"]["secretKeyRef"]
    assert login == {"name": "r-console", "key": "sasl.jaas.config"}, "Strimzi makes that key"


def test_nobody_reaches_it_but_who_is_named():
    assert "console-http" not in policies(**ON)
    peers = [{"namespaceSelector": {"matchLabels": {"name": "ops"}}}]
    (rule,) = policies(**ON, **{"console.httpFrom": peers})["console-http"]["ingress"]
    assert rule == {"from": peers, "ports": [{"port": 8080, "protocol": "TCP"}]}
    assert COMPOSE["console"]["ports"] == ["127.0.0.1:8085:8080"]
    assert COMPOSE["console"]["environment"]["KAFKA_CLUSTERS_0_READONLY"] == "true"
    assert COMPOSE["console"]["environment"]["AUTH_TYPE"] == "LOGIN_FORM"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"console.existingSecret": ""}, "console.existingSecret is empty"),
        (LOGIN, "console.kafkaSecret is empty"),
        ({"kafka.securityProtocol": "SSL"}, "logs in to Kafka with a password"),
    ],
)
def test_a_console_that_could_not_log_in_is_refused_with_what_to_do(changed, said):
    refused = helm("template", "r", str(CHART), **{**GOOD, **ON, **changed})
    assert refused.returncode != 0
    assert said in refused.stderr
