"""The chart renders what Kubernetes' restricted level takes, and refuses wrong values. Without helm these tests are skipped."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/rxtract"
HELM = shutil.which("helm") or shutil.which("helm", path=str(Path.home() / ".cache/rxtract/bin"))
GOOD = {
    "kafka.bootstrapServers": "kafka:9092",
    "schemaRegistry.url": "http://registry:8081",
    "redis.url": "redis://redis:6379/0",
    "mlflow.url": "http://mlflow:5000",
    "services.scorekeeper.existingClaim": "records",
}
pytestmark = pytest.mark.skipif(HELM is None, reason="no helm: run make chart-test")


def helm(*arguments, **values):
    """Values that are no strings are given as JSON: `--set` cannot say an empty list."""
    sets = [
        f"--set={key}={value}" if isinstance(value, str) else f"--set-json={key}={json.dumps(value)}"
        for key, value in {**GOOD, **values}.items()
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
    assert len(specs) == 8
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


@pytest.mark.parametrize(
    ("kind", "other"), [("HorizontalPodAutoscaler", "ScaledObject"), ("ScaledObject", "HorizontalPodAutoscaler")]
)
def test_exactly_one_scaler_scales(kind, other):
    choice = {"HorizontalPodAutoscaler": "hpa", "ScaledObject": "keda"}[kind]
    documents = render(**{"autoscaling.kind": choice})
    assert len(of_kind(documents, kind)) == 2
    assert of_kind(documents, other) == []
    scaled = {d["spec"]["scaleTargetRef"]["name"] for d in of_kind(documents, kind)}
    free = {d["metadata"]["name"] for d in of_kind(documents, "Deployment") if "replicas" not in d["spec"]}
    assert scaled == free


@pytest.mark.parametrize("choice", ["hpa", "keda"])
def test_a_scaled_service_comes_down_by_one_pod_at_a_time(choice):
    """Each pod that goes costs a rebalance; without a policy Kubernetes takes all of them at once."""
    documents = render(**{"autoscaling.kind": choice, "autoscaling.scaleDownSeconds": 120})
    for document in of_kind(documents, "HorizontalPodAutoscaler") + of_kind(documents, "ScaledObject"):
        spec = document["spec"]
        behavior = (spec["advanced"]["horizontalPodAutoscalerConfig"] if choice == "keda" else spec)["behavior"]
        down = behavior["scaleDown"]
        assert down["stabilizationWindowSeconds"] == 120
        assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 120}]
        assert "cooldownPeriod" not in spec  # it acts on the way to 0 alone
    too_long = helm("template", "r", str(CHART), **{"autoscaling.scaleDownSeconds": 1801})
    assert "scaleDownSeconds" in too_long.stderr  # the most that Kubernetes takes for periodSeconds is 1800


def test_big_numbers_of_topics_stay_whole():
    topics = of_kind(render(**{"strimzi.topics": "true"}), "KafkaTopic")
    kept = {t["metadata"]["name"]: t["spec"]["config"]["retention.ms"] for t in topics}
    assert kept["notes.accepted.v1"] == "604800000"


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


def test_pods_may_be_held_to_the_servers_they_need():
    specs = policies(
        **{
            "networkPolicy.egress.kafka.to[0].ipBlock.cidr": "10.0.0.0/24",
            "networkPolicy.egress.collector.ports": [4318],
            "networkPolicy.egress.redis": None,
        }
    )
    rules = specs["needed"]["egress"]
    told = {tuple(one["port"] for one in rule["ports"]): rule.get("to") for rule in rules}
    assert told[9092, 9093] == [{"ipBlock": {"cidr": "10.0.0.0/24"}}]
    assert told[4318,] is None
    assert (6379,) not in told
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


def test_whoever_must_be_alone_is_never_there_twice():
    strategies = {
        d["metadata"]["labels"]["app.kubernetes.io/component"]: d["spec"]["strategy"]
        for d in of_kind(render(), "Deployment")
    }
    for alone in ("trainer", "scorekeeper"):  # one partition to read, and one folder to write
        assert strategies.pop(alone) == {"type": "Recreate"}
    assert all(strategy["rollingUpdate"]["maxUnavailable"] == 0 for strategy in strategies.values())


@pytest.mark.parametrize("alone", ["trainer", "scorekeeper"])
def test_a_second_one_that_would_never_be_ready_is_refused(alone):
    """`helm install --wait` would wait for it until its time is over."""
    refused = helm("template", "r", str(CHART), **{f"services.{alone}.replicas": 2})
    assert refused.returncode != 0
    assert f"services.{alone}.replicas is 2" in refused.stderr
    lag = {"topic": "model.commands.v1", "group": "rxtract-trainer", "records": 1}
    scaled = {f"services.{alone}.lag": lag, f"services.{alone}.scaling": {"min": 1, "max": 2}}
    refused = helm("template", "r", str(CHART), **scaled)
    assert refused.returncode != 0
    assert f"services.{alone}.lag" in refused.stderr
    assert helm("template", "r", str(CHART), **{f"services.{alone}.replicas": 0}).returncode == 0


def test_every_pod_takes_images_from_a_private_registry():
    documents = render(**{"image.pullSecrets": ["registry-login"]})
    specs = [d["spec"]["template"]["spec"] for d in documents if d["kind"] in {"Deployment", "Job"}]
    specs += [d["spec"] for d in of_kind(documents, "Pod")]
    assert len(specs) == 8
    assert all(spec["imagePullSecrets"] == [{"name": "registry-login"}] for spec in specs)


def test_tracing_is_off_until_a_collector_is_named():
    def told(**values):
        pods = [d["spec"]["template"]["spec"] for d in of_kind(render(**values), "Deployment")]
        return [{e["name"]: e.get("value") for e in pod["containers"][0]["env"]} for pod in pods]

    assert not [name for one in told() for name in one if "TRACING" in name]
    on = told(**{"tracing.endpoint": "http://collector:4318"})
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
