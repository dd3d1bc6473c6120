"""The chart renders what Kubernetes' restricted level takes, and refuses wrong values."""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT / "deploy")]

import chart_readme  # noqa: E402
import found  # noqa: E402

CHART = ROOT / "deploy/helm/rxtract"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
HELM = found.find("helm")
GOOD = {
    "kafka.bootstrapServers": "kafka:9092",
    "schemaRegistry.url": "http://registry:8081",
    "redis.url": "redis://redis:6379/0",
    "mlflow.url": "http://mlflow:5000",
    "services.scorekeeper.existingClaim": "records",
}
ALL = {"services.notifier.enabled": "true"}
"""What is off unless it is asked for."""
pytestmark = found.needs("helm", "make test-tools")


def helm(*arguments, **values):
    """Values that are no strings are given as JSON: `--set` cannot say an empty list."""
    sets = [
        f"--set={key}={value}" if isinstance(value, str) else f"--set-json={key}={json.dumps(value)}"
        for key, value in {**GOOD, **ALL, **values}.items()
    ]
    command = [HELM, *arguments, *sets, "--kube-version", "1.34.0"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def render(**values):
    result = helm("template", "r", str(CHART), **values)
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def of_kind(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def test_lint_is_clean():
    result = helm("lint", "--strict", str(CHART))
    assert result.returncode == 0, result.stdout


def test_every_pod_is_restricted_and_has_no_token():
    documents = render()
    specs = [d["spec"]["template"]["spec"] for d in documents if d["kind"] in {"Deployment", "Job"}]
    specs += [d["spec"] for d in of_kind(documents, "Pod")]
    assert len(specs) == 12
    for spec in specs:
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}


def test_every_service_of_the_repository_has_a_deployment_and_back():
    services = {path.parent.name for path in ROOT.glob("services/*/pyproject.toml")}
    components = {d["metadata"]["labels"]["app.kubernetes.io/component"] for d in of_kind(render(), "Deployment")}
    assert components == services


def test_a_scorekeeper_ends_before_the_next_one_starts():
    found = next(d for d in of_kind(render(), "Deployment") if d["metadata"]["name"].endswith("scorekeeper"))
    assert found["spec"]["replicas"] == 1
    assert found["spec"]["strategy"] == {"type": "Recreate"}


def home_of_the_scorekeeper(**values):
    found = next(d for d in of_kind(render(**values), "Deployment") if d["metadata"]["name"].endswith("scorekeeper"))
    return next(one for one in found["spec"]["template"]["spec"]["volumes"] if one["name"] == "home")


def test_records_at_rest_are_on_a_claim_or_on_what_somebody_chose():
    """A limit that nobody chose evicts the pod when 30 days of notes do not fit, and again when they are read again."""
    assert home_of_the_scorekeeper()["persistentVolumeClaim"] == {"claimName": "records"}
    neither = {"services.scorekeeper.existingClaim": ""}
    refused = helm("template", "r", str(CHART), **neither)
    assert refused.returncode != 0
    assert "services.scorekeeper.existingClaim is empty" in refused.stderr
    chosen = home_of_the_scorekeeper(**neither, **{"services.scorekeeper.ephemeralSize": "20Gi"})
    assert chosen["emptyDir"] == {"sizeLimit": "20Gi"}
    both = helm("template", "r", str(CHART), **{"services.scorekeeper.ephemeralSize": "20Gi"})
    assert both.returncode != 0
    assert "ephemeralSize" in both.stderr


SCALED = {
    "hpa": {"autoscaling.kind": "hpa"},
    "keda": {"autoscaling.kind": "keda", "autoscaling.prometheus": "http://prometheus:9090"},
}


@pytest.mark.parametrize(
    ("kind", "other"), [("HorizontalPodAutoscaler", "ScaledObject"), ("ScaledObject", "HorizontalPodAutoscaler")]
)
def test_exactly_one_scaler_scales(kind, other):
    choice = {"HorizontalPodAutoscaler": "hpa", "ScaledObject": "keda"}[kind]
    documents = render(**SCALED[choice])
    assert len(of_kind(documents, kind)) == 3
    assert of_kind(documents, other) == []
    scaled = {d["spec"]["scaleTargetRef"]["name"] for d in of_kind(documents, kind)}
    free = {d["metadata"]["name"] for d in of_kind(documents, "Deployment") if "replicas" not in d["spec"]}
    assert scaled == free


@pytest.mark.parametrize("choice", ["hpa", "keda"])
def test_a_scaled_service_comes_down_by_one_pod_at_a_time(choice):
    """Each pod that goes costs a rebalance; without a policy Kubernetes takes all of them at once."""
    documents = render(**SCALED[choice], **{"autoscaling.scaleDownSeconds": 120})
    for document in of_kind(documents, "HorizontalPodAutoscaler") + of_kind(documents, "ScaledObject"):
        spec = document["spec"]
        behavior = (spec["advanced"]["horizontalPodAutoscalerConfig"] if choice == "keda" else spec)["behavior"]
        down = behavior["scaleDown"]
        assert down["stabilizationWindowSeconds"] == 120
        assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]
        assert "cooldownPeriod" not in spec  # it acts on the way to 0 alone
    too_long = helm("template", "r", str(CHART), **{"autoscaling.scaleDownSeconds": 1801})
    assert "scaleDownSeconds" in too_long.stderr  # the most that Kubernetes takes for periodSeconds is 1800


@pytest.mark.skipif(shutil.which("promtool") is None and not found.IN_CI, reason="no promtool: run make tools")
def test_keda_asks_for_our_own_lag_of_the_services_topic_and_no_figure_scales_nothing_down(tmp_path):
    """Kafka's own lag counts what no pod ever reads: transaction markers and aborted records."""
    documents = render(**SCALED["keda"], **{"kafka.topicPrefix": "p."})
    triggers = {d["metadata"]["name"]: d["spec"]["triggers"] for d in of_kind(documents, "ScaledObject")}
    [extractor] = triggers["r-extractor"]
    assert extractor["type"] == "prometheus"
    assert extractor["metadata"]["serverAddress"] == "http://prometheus:9090"
    assert extractor["metadata"]["threshold"] == "5000"
    assert extractor["metadata"]["ignoreNullValues"] == "false"
    series = {
        '{namespace="default",job="extractor",topic="p.notes.accepted.v1",pod="a"}': 7_000,
        '{namespace="default",job="extractor",topic="p.notes.accepted.v1",pod="b"}': 5_000,
        '{namespace="default",job="ingestor",topic="p.notes.submitted.v1"}': 100,
        '{namespace="default",job="extractor",topic="other"}': 10,
        '{namespace="staging",job="extractor",topic="p.notes.accepted.v1"}': 1,
    }
    story = {
        "tests": [
            {
                "interval": "15s",
                "input_series": [
                    {"series": f"rxtract_consumer_lag_records{labels}", "values": str(value)}
                    for labels, value in series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": one[0]["metadata"]["query"],
                        "eval_time": "0s",
                        "exp_samples": [{"labels": "{}", "value": value}],
                    }
                    for one, value in ((triggers["r-extractor"], 12_000), (triggers["r-ingestor"], 100))
                ],
            }
        ]
    }
    (tmp_path / "story.yml").write_text(yaml.safe_dump(story))
    one_line_errors = subprocess.run(
        ["promtool", "test", "rules", "story.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert one_line_errors.returncode == 0, one_line_errors.stdout + one_line_errors.stderr
    refused = helm("template", "r", str(CHART), **{"autoscaling.kind": "keda"})
    assert "autoscaling.prometheus is empty" in refused.stderr


LOGIN = {
    "kafka.securityProtocol": "SASL_SSL",
    "kafka.saslMechanism": "SCRAM-SHA-512",
    "kafka.existingSecret": "kafka-login",
}
OPERATED = {**LOGIN, "strimzi.users": "true", "strimzi.topics": "true", "kafka.existingSecret": ""}


def environments(documents):
    """Of each container of a Deployment or Job: its variables, by service or step."""
    found = {}
    for document in documents:
        if document["kind"] in {"Deployment", "Job"}:
            pod = document["spec"]["template"]["spec"]
            for one in [*pod["containers"], *pod.get("initContainers", [])]:
                found[one["name"]] = {variable["name"]: variable for variable in one["env"]}
    return found


@pytest.mark.parametrize("service", ["answerer", "ingestor", "review-desk", "scorekeeper"])
def test_a_door_speaks_tls_when_it_is_given_a_certificate(service):
    given = render(**{f"services.{service}.httpTlsSecret": "door-tls"})
    ports = {
        one["metadata"]["name"]: [(port["name"], port["port"]) for port in one["spec"]["ports"]]
        for one in of_kind(given, "Service")
    }
    assert ports[f"r-{service}"] == [("health", 9100), ("https", 443)]
    assert sum(("https", 443) in listed for listed in ports.values()) == 1
    variables = environments(given)[service]
    files = {variables[f"RXTRACT_HTTP_TLS_{one}_FILE"]["value"] for one in ("CERTIFICATE", "KEY")}
    assert files == {"/etc/rxtract/http_tls/tls.crt", "/etc/rxtract/http_tls/tls.key"}
    (pod,) = [
        one["spec"]["template"]["spec"]
        for one in of_kind(given, "Deployment")
        if one["metadata"]["name"] == f"r-{service}"
    ]
    assert {"name": "http-tls", "secret": {"secretName": "door-tls", "defaultMode": 0o440}} in pod["volumes"]
    assert "RXTRACT_HTTP_TLS_KEY_FILE" not in str(environments(render())[service])


def test_a_secret_without_a_username_fits_when_the_value_says_it():
    """Strimzi's secret of a user holds a password alone."""
    documents = render(**LOGIN, **{"kafka.username": "notes"})
    for name, one_line_errors in environments(documents).items():
        if name != "schemas":  # the registry alone is asked
            assert one_line_errors["RXTRACT_SASL_USERNAME"]["value"] == "notes"
            assert one_line_errors["RXTRACT_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"]["name"] == "kafka-login"
    from_secret = environments(render(**LOGIN))["ingestor"]["RXTRACT_SASL_USERNAME"]["valueFrom"]["secretKeyRef"]
    assert from_secret == {"name": "kafka-login", "key": "username"}


def test_each_service_logs_in_as_a_user_of_its_own():
    documents = render(**OPERATED)
    users = {d["metadata"]["name"] for d in of_kind(documents, "KafkaUser")}
    one_line_errors = environments(documents)
    assert "RXTRACT_SASL_PASSWORD" not in one_line_errors.pop("schemas")
    assert users == {f"r-{service}" for service in one_line_errors}
    for service, variables in one_line_errors.items():
        assert variables["RXTRACT_SASL_USERNAME"]["value"] == f"r-{service}"
        password = variables["RXTRACT_SASL_PASSWORD"]["valueFrom"]["secretKeyRef"]
        assert password == {"name": f"r-{service}", "key": "password"}


def test_with_mutual_tls_the_certificate_is_the_users_own():
    documents = render(**{"kafka.securityProtocol": "SSL", "strimzi.users": "true", "strimzi.topics": "true"})
    assert {d["spec"]["authentication"]["type"] for d in of_kind(documents, "KafkaUser")} == {"tls"}
    for deployment in of_kind(documents, "Deployment"):
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        (mounted,) = [one["secret"]["secretName"] for one in volumes if one["name"] == "kafka-certificate"]
        assert mounted == deployment["metadata"]["name"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kafka.securityProtocol": "PLAINTEXT"}, "strimzi.users makes logins"),
        ({"kafka.saslMechanism": "PLAIN"}, "SCRAM-SHA-512"),
        (
            {"strimzi.topics": "false"},
            "kafka.existingSecret is empty",
        ),  # the job that makes topics needs rights of its own
    ],
    ids=str,
)
def test_users_that_could_not_log_in_are_refused(changed, said):
    refused = helm("template", "r", str(CHART), **{**OPERATED, **changed})
    assert refused.returncode != 0
    assert said in refused.stderr


def test_the_registrys_login_comes_from_a_secret():
    secret = {"schemaRegistry.url": "", "schemaRegistry.existingSecret": "registry-login"}
    for one_line_errors in environments(render(**secret)).values():
        where = one_line_errors["RXTRACT_SCHEMA_REGISTRY_URL"]["valueFrom"]["secretKeyRef"]
        assert where == {"name": "registry-login", "key": "url"}


def test_a_private_authority_is_trusted_by_every_container_that_asks_a_server():
    documents = render(**{"tls.caSecret": "our-ca"})
    one_line_errors = environments(documents)
    assert {"topics", "schemas", "trainer"} <= set(one_line_errors)
    for variables in one_line_errors.values():
        assert (
            variables["SSL_CERT_FILE"]["value"] == variables["REQUESTS_CA_BUNDLE"]["value"] == "/etc/rxtract/ca/ca.crt"
        )
    for document in documents:
        if document["kind"] in {"Deployment", "Job"}:
            pod = document["spec"]["template"]["spec"]
            (volume,) = [one["secret"]["secretName"] for one in pod["volumes"] if one["name"] == "ca"]
            assert volume == "our-ca"
            for one in [*pod["containers"], *pod.get("initContainers", [])]:
                assert {"name": "ca", "mountPath": "/etc/rxtract/ca", "readOnly": True} in one["volumeMounts"]
    assert not [name for one in environments(render()).values() for name in one if "CERT" in name or "BUNDLE" in name]


@pytest.mark.parametrize("protocol", [{"kafka.securityProtocol": "SSL"}, LOGIN], ids=["SSL", "SASL_SSL"])
def test_a_private_authority_must_not_become_kafkas_unsaid(protocol):
    """SSL_CERT_FILE is of the whole process: Faust's client would trust that authority alone, librdkafka's the public ones."""
    unsaid = helm("template", "r", str(CHART), **protocol, **{"tls.caSecret": "our-ca"})
    assert unsaid.returncode != 0
    assert "kafka.caSecret is empty" in unsaid.stderr
    one_line_errors = environments(render(**protocol, **{"tls.caSecret": "our-ca", "kafka.caSecret": "kafka-ca"}))
    of_kafka = [one for one in one_line_errors.values() if "RXTRACT_SECURITY_PROTOCOL" in one]
    assert len(of_kafka) > 1
    assert {one["RXTRACT_SSL_CA_LOCATION"]["value"] for one in of_kafka} == {"/etc/rxtract/kafka-ca/ca.crt"}
    assert render(**protocol)
    assert render(**{"tls.caSecret": "our-ca"})  # Kafka without TLS asks for no authority


def test_big_numbers_of_topics_stay_whole():
    topics = of_kind(render(**{"strimzi.topics": "true"}), "KafkaTopic")
    kept = {t["metadata"]["name"]: t["spec"]["config"]["retention.ms"] for t in topics}
    assert kept["notes.accepted.v1"] == "604800000"


def test_with_sealing_submitted_notes_live_a_day_whoever_makes_the_topics():
    strimzi = {"strimzi.topics": "true"}
    for values, day in ((strimzi, "604800000"), (strimzi | SEALING, "86400000")):
        topics = {t["metadata"]["name"]: t["spec"]["config"] for t in of_kind(render(**values), "KafkaTopic")}
        assert topics["notes.submitted.v1"]["retention.ms"] == day
        assert topics["notes.accepted.v1"]["retention.ms"] == "604800000"
    (job,) = (one for one in of_kind(render(**SEALING), "Job") if "-contract" in one["metadata"]["name"])
    made = job["spec"]["template"]["spec"]["initContainers"][0]
    assert {"name": "RXTRACT_SEALING", "value": "on"} in made["env"]


def test_topics_outlive_the_release():
    """Without the mark, Helm takes a KafkaTopic away at uninstall, and Strimzi the notes in it."""
    topics = of_kind(render(**{"strimzi.topics": "true"}), "KafkaTopic")
    assert topics
    for topic in topics:
        assert topic["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def policies(**values):
    documents = of_kind(render(**values), "NetworkPolicy")
    return {d["metadata"]["name"].removeprefix("r-"): d["spec"] for d in documents}


def open_to_all(specs):
    """Rules that Kubernetes reads as every source or every port: an empty list of them says so, and so does none."""
    return [
        (name, rule)
        for name, spec in specs.items()
        for rule in [*spec.get("ingress", []), *spec.get("egress", [])]
        if not rule.get("ports") or ("from" in rule and not rule["from"]) or ("to" in rule and not rule["to"])
    ]


CLOSED = {
    "networkPolicy.metricsFrom": [],
    "networkPolicy.egress": None,
    "services.ingestor.httpFrom": [],
    "services.review-desk.httpFrom": [],
}


@pytest.mark.parametrize("values", [{}, CLOSED, dict.fromkeys(CLOSED)], ids=["default", "closed", "taken away"])
def test_no_network_policy_opens_more_than_it_names(values):
    specs = policies(**values)
    assert open_to_all(specs) == []
    for name, spec in specs.items():
        assert all(rule["from"] for rule in spec.get("ingress", [])), name


@pytest.mark.parametrize("closed", ["services.ingestor.httpFrom", "networkPolicy.metricsFrom"])
def test_an_empty_list_of_peers_closes(closed):
    specs = policies(**{closed: [], "networkPolicy.egress": None})
    assert open_to_all(specs) == []
    peers = [peer for rule in specs["needed"]["ingress"] for peer in rule["from"]]
    others = [peer for peer in peers if "namespaceSelector" in peer]
    assert ("ingestor-http" in specs) is (closed != "services.ingestor.httpFrom")
    assert (others == []) is (closed == "networkPolicy.metricsFrom")
    assert "egress" not in specs["needed"]


def test_each_door_is_opened_by_itself():
    """An ingress that reaches the ingestor must not reach the control page, which has no login."""
    specs = policies(**{"services.ingestor.httpFrom[0].namespaceSelector.matchLabels.name": "ingress"})
    (rule,) = specs["ingestor-http"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]
    (rule,) = specs["review-desk-http"]["ingress"]
    assert rule["from"] == [{"podSelector": {}}]
    assert "scorekeeper-http" not in specs


def test_the_notifier_alone_opens_ports_to_receivers_and_is_off_unless_asked_for():
    (rule,) = policies()["notifier-opens"]["egress"]
    assert rule == {"ports": [{"port": 443, "protocol": "TCP"}]}
    peers = [{"ipBlock": {"cidr": "10.1.0.0/16"}}]
    (rule,) = policies(**{"services.notifier.opens.to": peers})["notifier-opens"]["egress"]
    assert rule["to"] == peers
    off = {"services.notifier.enabled": "false"}
    assert not [name for name in policies(**off) if "notifier" in name]
    assert VALUES["services"]["notifier"]["enabled"] is False
    place = environments(render())["notifier"]["RXTRACT_WEBHOOKS_FILE"]["value"]
    assert place == "/etc/rxtract/rxtract_webhooks_file/webhooks.json"


def test_the_control_page_alone_may_ask_the_ledger():
    specs = policies()
    (rule,) = specs["ledger-answers-scorekeeper"]["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "scorekeeper"
    (rule,) = specs["scorekeeper-asks-ledger"]["egress"]
    (peer,) = rule["to"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "ledger"
    assert [name for name in specs if "ledger" in name] == ["scorekeeper-asks-ledger", "ledger-answers-scorekeeper"]
    assert environments(render())["scorekeeper"]["RXTRACT_LEDGER_URL"]["value"] == "http://r-ledger:9100"
    without = {"services.ledger.enabled": "false"}
    assert not [name for name in policies(**without) if "ledger" in name]
    assert "RXTRACT_LEDGER_URL" not in environments(render(**without))["scorekeeper"]


def test_pods_may_be_held_to_the_servers_they_need():
    specs = policies(
        **{
            "networkPolicy.egress.kafka.to[0].ipBlock.cidr": "10.0.0.0/24",
            "networkPolicy.egress.collector.ports": [4318],
            "networkPolicy.egress.redis": None,
        }
    )
    rules = specs["needed"]["egress"]
    one_line_errors = {tuple(one["port"] for one in rule["ports"]): rule.get("to") for rule in rules}
    assert one_line_errors[9092, 9093] == [{"ipBlock": {"cidr": "10.0.0.0/24"}}]
    assert one_line_errors[4318,] is None
    assert (6379,) not in one_line_errors
    assert {one["protocol"] for rule in rules for one in rule["ports"] if one["port"] == 53} == {"TCP", "UDP"}
    (rule,) = specs["test"]["egress"]
    assert rule["to"] == [{"podSelector": {"matchLabels": specs["default-deny"]["podSelector"]["matchLabels"]}}]


@pytest.mark.parametrize(
    "wrong",
    [
        {"healtPort": "1"},
        {"healthPort": "many"},
        {"autoscaling.kind": "both"},
        {"environment.LOG_LEVEL": "INFO"},
        {"kafka.bootstrapServers": ""},
        {"kafka.securityProtocol": "SASL_SSL", "kafka.saslMechanism": "SCRAM-SHA-512"},
        {"services.scorekeeper.ephemeralSize": "much"},
        {"monitoring.runbookUrl": "https://docs.example.org/runbooks"},
        {"monitoring.runbookUrl": "docs/%s.md"},
        {"networkPolicy.egress.kafka.to": []},
        {"networkPolicy.egress.kafka.ports": []},
    ],
    ids=str,
)
def test_wrong_values_are_refused(wrong):
    result = helm("template", "r", str(CHART), **wrong)
    assert result.returncode != 0
    assert next(iter(wrong)).rpartition(".")[2] in result.stderr or "existingSecret" in result.stderr


def test_the_copies_in_the_chart_are_up_to_date():
    command = [sys.executable, str(ROOT / "deploy/chart_files.py"), "--check"]
    assert subprocess.run(command, env={**os.environ}, check=False).returncode == 0


def test_every_value_is_explained():
    known = chart_readme.values()
    spoken_for = {one.path for one in known if one.says}
    of_services = chart_readme.readme().partition("## Of each service")[2]
    silent = [one.name for one in known if one.path not in spoken_for and one.path[:-1] not in spoken_for]
    fields = {f"services.{one.path[1]}.{one.path[2]}" for one in known if one.path[0] == "services" and one.path[2:]}
    assert [name for name in silent if not name.startswith("services.")] == []
    assert {f"`{name.rpartition('.')[2]}` |" in of_services for name in fields} == {True}


def test_the_readme_names_what_an_install_cannot_do_without():
    must = chart_readme.readme().partition("## What you must set")[2].partition("## Values")[0]
    always = [service for service in VALUES["services"].values() if service.get("enabled", True)]
    for name in [*GOOD, *{d["secret"] for service in always for d in service.get("secretFiles", {}).values()}]:
        assert f"`{name}`" in must


def test_whoever_must_be_alone_is_never_there_twice():
    strategies = {
        d["metadata"]["labels"]["app.kubernetes.io/component"]: d["spec"]["strategy"]
        for d in of_kind(render(), "Deployment")
    }
    for alone in ("trainer", "scorekeeper", "ledger"):  # one partition to read, and one folder each to write
        assert strategies.pop(alone) == {"type": "Recreate"}
    assert all(strategy["rollingUpdate"]["maxUnavailable"] == 0 for strategy in strategies.values())


@pytest.mark.parametrize("alone", ["trainer", "scorekeeper", "ledger"])
def test_a_second_one_that_would_never_be_ready_is_refused(alone):
    """`helm install --wait` would wait for it until its time is over."""
    refused = helm("template", "r", str(CHART), **{f"services.{alone}.replicas": 2})
    assert refused.returncode != 0
    assert f"services.{alone}.replicas is 2" in refused.stderr
    lag = {"topic": "model.commands.v1", "records": 1}
    scaled = {f"services.{alone}.lag": lag, f"services.{alone}.scaling": {"min": 1, "max": 2}}
    refused = helm("template", "r", str(CHART), **scaled)
    assert refused.returncode != 0
    assert f"services.{alone}.lag" in refused.stderr
    assert helm("template", "r", str(CHART), **{f"services.{alone}.replicas": 0}).returncode == 0


def test_every_pod_takes_images_from_a_private_registry():
    documents = render(**{"image.pullSecrets": ["registry-login"]})
    specs = [d["spec"]["template"]["spec"] for d in documents if d["kind"] in {"Deployment", "Job"}]
    specs += [d["spec"] for d in of_kind(documents, "Pod")]
    assert len(specs) == 12
    assert all(spec["imagePullSecrets"] == [{"name": "registry-login"}] for spec in specs)


UPGRADES = [
    (page, line.partition("#")[0].split())
    for page in sorted((ROOT / "docs").glob("**/*.md"))
    for line in page.read_text().splitlines()
    if line.startswith("helm upgrade ") and "reuse-values" in line
]
IN_AN_INCIDENT = {page.stem: words for page, words in UPGRADES if page.parent.name == "runbooks"}


def test_a_release_of_an_older_version_renders_when_a_page_says_upgrade():
    """`--reuse-values` leaves out what this version's values.yaml added, and a template that reads it fails."""
    assert {"lag", "notes-late"} <= set(IN_AN_INCIDENT)
    assert [page.name for page, words in UPGRADES if "--reuse-values" in words] == []


@pytest.mark.parametrize("words", IN_AN_INCIDENT.values(), ids=IN_AN_INCIDENT)
def test_in_an_incident_an_upgrade_waits_for_no_server(words):
    sets = dict(word.split("=", 1) for word in words if "=" in word)
    assert sets["contract.enabled"] == "false"
    assert of_kind(render(**{key: json.loads(value) for key, value in sets.items()}), "Job") == []


def runbooks(**values):
    (made,) = of_kind(render(**{"monitoring.prometheusRule": "true"}, **values), "PrometheusRule")
    rules = [rule for group in made["spec"]["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}


def test_a_pager_can_open_the_runbook():
    files = runbooks()
    assert all((ROOT / file).is_file() for file in files.values())
    links = runbooks(**{"monitoring.runbookUrl": "https://docs.example.org/a%20b/runbooks/%s.html"})
    assert links.keys() == files.keys()
    for alert, link in links.items():
        assert link == f"https://docs.example.org/a%20b/runbooks/{Path(files[alert]).stem}.html"


def test_tracing_is_off_until_a_collector_is_named():
    def one_line_errors(**values):
        pods = [d["spec"]["template"]["spec"] for d in of_kind(render(**values), "Deployment")]
        return [{e["name"]: e.get("value") for e in pod["containers"][0]["env"]} for pod in pods]

    assert not [name for one in one_line_errors() for name in one if "TRACING" in name]
    on = one_line_errors(**{"tracing.endpoint": "http://collector:4318"})
    assert [one["RXTRACT_TRACING_ENDPOINT"] for one in on] == ["http://collector:4318"] * len(on)
    assert {one["RXTRACT_TRACING_RATIO"] for one in on} == {"0.01"}
    refused = helm("template", "r", str(CHART), **{"tracing.endpoint": "collector:4318"})
    assert refused.returncode != 0
    assert "tracing.endpoint" in refused.stderr or "/tracing/endpoint" in refused.stderr


def test_no_pod_needs_the_command_lines_image():
    documents = render()
    specs = [d["spec"]["template"]["spec"] for d in documents if d["kind"] in {"Deployment", "Job"}]
    specs += [d["spec"] for d in of_kind(documents, "Pod")]
    containers = [one for spec in specs for one in [*spec["containers"], *spec.get("initContainers", [])]]
    assert not [one["name"] for one in containers if "/cli:" in one["image"]]


SEALING = {"sealing.enabled": True, "sealing.existingClaim": "keys"}


def test_sealing_gives_store_and_master_key_to_who_seals_and_to_nobody_else():
    for deployment in of_kind(render(**SEALING), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        told = {one["name"]: one.get("value") for one in container["env"]}
        mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
        volumes = {one["name"]: one for one in pod["volumes"]}
        if deployment["metadata"]["labels"]["app.kubernetes.io/component"] in {
            "answerer",
            "drift-watcher",
            "enricher",
            "ledger",
            "notifier",
        }:
            assert "RXTRACT_SEALING" not in told
            assert not {"keystore", "master-key"} & set(volumes)
            continue
        assert told["RXTRACT_SEALING"] == "on"
        assert told["RXTRACT_KEY_STORE_FILE"] == f"{mounts['keystore']}/keys.db"
        assert told["RXTRACT_MASTER_KEY_FILE"] == f"{mounts['master-key']}/key"
        assert volumes["keystore"]["persistentVolumeClaim"] == {"claimName": "keys"}
        assert volumes["master-key"]["secret"] == {"secretName": "rxtract-master", "defaultMode": 0o440}


DATABASE = {
    "sealing.enabled": True, "sealing.postgres.existingSecret": "rxtract-keys", "networkPolicy.egress.postgres.ports": [5432]
}  # fmt: skip


def test_with_the_key_store_in_a_database_pods_need_no_disk_and_the_trainer_may_only_read():
    urls = {}
    for deployment in of_kind(render(**DATABASE), "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        told = {one["name"]: one for one in container["env"]}
        assert "RXTRACT_KEY_STORE_FILE" not in told
        assert not [one for one in pod["volumes"] if one["name"] == "keystore"]
        if "RXTRACT_SEALING" in told:
            name = deployment["metadata"]["labels"]["app.kubernetes.io/component"]
            secret = told["RXTRACT_KEY_STORE_URL"]["valueFrom"]["secretKeyRef"]
            urls[name] = (secret["name"], secret["key"])
            assert told["RXTRACT_MASTER_KEY_FILE"]["value"] == "/etc/rxtract/master_key/key"
    seal = dict.fromkeys(("ingestor", "extractor", "review-desk", "scorekeeper"), ("rxtract-keys", "sealer"))
    assert urls == seal | {"trainer": ("rxtract-keys", "reader")}
    rules = [
        rule for policy in of_kind(render(**DATABASE), "NetworkPolicy") for rule in policy["spec"].get("egress", [])
    ]
    assert 5432 in [port["port"] for rule in rules for port in rule.get("ports", [])]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({}, "sealing.postgres.existingSecret and sealing.existingClaim are empty"),
        ({"sealing.existingClaim": "keys", **DATABASE}, "are both set: keep one"),
        (
            {"sealing.existingClaim": "keys", "sealing.masterKey.secret": ""},
            "sealing.masterKey.secret is empty: name the secret",
        ),
        (
            {"sealing.existingClaim": "keys", "sealing.masterKey.key": ""},
            "sealing.masterKey.key is empty: name the secret",
        ),
        ({"sealing.postgres.existingSecret": "keys"}, "networkPolicy.egress.postgres is not: open the server's port"),
    ],
    ids=["no store", "two stores", "no secret", "no key", "closed port"],
)
def test_sealing_that_could_not_work_is_refused_with_one_line(values, line):
    refused = helm("template", "r", str(CHART), **{"sealing.enabled": True, **values})
    assert refused.returncode != 0
    assert line in refused.stderr
    assert len([one for one in refused.stderr.splitlines() if one and "--debug" not in one]) == 1, refused.stderr
    assert "RXTRACT_SEALING" not in json.dumps(render())


@pytest.fixture
def cluster(tmp_path):
    """As much of an API server as Helm asks when it looks a secret up; gives what starts one with these secrets."""
    servers = []

    def with_secrets(**secrets):
        found = {
            name: {key: base64.b64encode(value.encode()).decode() for key, value in one.items()}
            for name, one in secrets.items()
        }
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(ApiServer, found))
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "c", "users": [{"name": "u", "user": {}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "notes"}}],
        }  # fmt: skip
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        return str(tmp_path / "kubeconfig")

    yield with_secrets
    for server in servers:
        server.shutdown()


class ApiServer(BaseHTTPRequestHandler):
    def __init__(self, secrets, *arguments):
        self.secrets = secrets
        super().__init__(*arguments)

    def do_GET(self):
        path = self.path.partition("?")[0]
        kinds = [
            {"name": f"{kind.lower()}s", "kind": kind, "namespaced": True, "verbs": ["get"]}
            for kind in ("Secret", "ServiceAccount")
        ]
        answers = {
            "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": []},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": kinds},
            "/api/v1/namespaces/notes/serviceaccounts/default": {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": "default"},
            },
        }
        for name, data in self.secrets.items():
            answers[f"/api/v1/namespaces/notes/secrets/{name}"] = {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "data": data,
            }
        answer = answers.get(
            path, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
        )
        body = json.dumps(answer).encode()
        self.send_response(200 if path in answers else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


MASTER = {"rxtract-master": {"key": "ab" * 32 + "\n"}}
URLS = {"rxtract-keys": {"sealer": "postgresql://s@h/d", "reader": "postgresql://r@h/d"}}


@pytest.mark.parametrize(
    ("secrets", "line"),
    [
        (MASTER | URLS, ""),
        ({"rxtract-master": {"key": "ab" * 32 + "\n" + "cd" * 32 + "\n"}} | URLS, ""),
        (URLS, "namespace notes has no secret rxtract-master with something in its key key"),
        ({"rxtract-master": {"key": ""}} | URLS, "has no secret rxtract-master with something in its key key"),
        ({"rxtract-master": {"other": "ab" * 32}} | URLS, "has no secret rxtract-master with something in its key key"),
        ({"rxtract-master": {"key": "ab" * 31}} | URLS, "is no master key, 64 hexadecimal digits a line"),
        (MASTER, "has no secret rxtract-keys with the key sealer"),
        (MASTER | {"rxtract-keys": {"sealer": "postgresql://s@h/d"}}, "has no secret rxtract-keys with the key reader"),
    ],
    ids=["all there", "during a rotation", "none", "empty", "another key", "cut", "no urls", "one url"],
)
def test_at_an_install_secrets_that_are_missing_or_empty_are_refused_with_one_line(cluster, secrets, line):
    arguments = (
        "template",
        "r",
        str(CHART),
        "--dry-run=server",
        "--namespace",
        "notes",
        "--kubeconfig",
        cluster(**secrets),
    )
    done = helm(*arguments, **DATABASE)
    if not line:
        assert done.returncode == 0, done.stderr
        return
    assert line in done.stderr, done.stderr
    assert "ab" * 31 not in done.stderr
    assert (
        helm(
            "template", "r", str(CHART), "--dry-run=server", "--namespace", "notes", "--kubeconfig", arguments[-1]
        ).returncode
        == 0
    )
