"""Install the chart on a real one-node Kubernetes and live with it: ``make cluster-test`` (root, Linux, Docker for the images).

The servers of others run as pods beside it, from the images of docker-compose.yml. What passes is written to docs/transcripts/cluster.md.
"""  # noqa: INP001

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from live import PAUSE_S, ROOT, SERVICES, Entities, Failed, Knocks, finish, run, say, simulate, write_transcript

sys.path.append(str(ROOT / "deploy/crds"))
import fetch as crds

TRANSCRIPT = ROOT / "docs/transcripts/cluster.md"
BIN = Path(os.environ.get("RXTRACT_CACHE_DIR") or Path.home() / ".cache/rxtract") / "kube"
NODE = Path("/var/lib/rxtract-cluster")
DOCKER = os.environ.get("DOCKER", "docker").split()
KUBE = "1.34.4"
CHART, RELEASE, SPACE, SERVERS = ROOT / "deploy/helm/rxtract", "r", "rxtract", "servers"
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
KAFKA, REGISTRY = "10.96.0.92", "10.96.0.81"
ADDRESSES = {"kafka": (KAFKA, {9092: 9092}), "schema-registry": (REGISTRY, {8081: 8080})}
ADDRESSES |= {"redis": ("10.96.0.63", {6379: 6379}), "mlflow": ("10.96.0.50", {5000: 5000})}
"""Of each server: its fixed address, and its ports with those of its container."""
CHANGED: dict[str, dict[str, str]] = {
    "kafka": {
        "KAFKA_ADVERTISED_LISTENERS": f"INSIDE://{KAFKA}:9092,OUTSIDE://{KAFKA}:9094",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
    },
    "schema-registry": {"APICURIO_KAFKASQL_BOOTSTRAP_SERVERS": f"kafka.{SERVERS}:9092"},
    "mlflow": {"MLFLOW_SERVER_ALLOWED_HOSTS": "*"},
}
"""Settings of compose that are others here."""
RATE = 100
INSTALL_S = 600


def kubectl(*arguments: str, text: str | None = None, check: bool = True) -> str:
    """Run kubectl on the node."""
    command = [str(BIN / "kubectl"), "--kubeconfig", str(NODE / "admin.kubeconfig"), *arguments]
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if check and result.returncode:
        raise Failed(f"kubectl {' '.join(arguments)}: {result.stderr[-1500:]}")
    return result.stdout


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm in our namespace."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as file:
        yaml.safe_dump(values or {}, file)
        file.flush()
        given = ["--values", file.name] if values is not None else []
        command = [str(BIN / "helm"), *arguments, *given, "--namespace", SPACE]
        command += ["--kubeconfig", str(NODE / "admin.kubeconfig")]
        return subprocess.run(command, capture_output=True, text=True, check=False)


def must(result: subprocess.CompletedProcess[str]) -> None:
    """Raise when helm failed."""
    if result.returncode:
        raise Failed(result.stderr[-2000:])


def values(**changes: Any) -> dict[str, Any]:
    """What an operator writes for this cluster; small requests, because the node has two cores."""
    small = {"resources": {"requests": {"cpu": "20m", "memory": "128Mi"}}, "replicas": 1}
    services: dict[str, dict[str, Any]] = {name: dict(small) for name in SERVICES}
    services["scorekeeper"]["ephemeralSize"] = "1Gi"
    for name, own in changes.items():
        services[name.replace("_", "-")] |= own
    return {
        "kafka": {"bootstrapServers": f"kafka.{SERVERS}:9092"},
        "schemaRegistry": {"url": f"http://schema-registry.{SERVERS}:8081/apis/ccompat/v7"},
        "redis": {"url": f"redis://redis.{SERVERS}:6379/0"},
        "mlflow": {"url": f"http://mlflow.{SERVERS}:5000"},
        "services": services,
    }


def start_node() -> None:
    """Kubernetes, and every image in it."""
    run("bash", "deploy/cluster/build.sh", str(BIN))
    begun = time.monotonic()
    run("bash", "deploy/cluster/node.sh", "up", str(NODE), str(BIN))
    version = json.loads(kubectl("version", "--output=json"))["serverVersion"]["gitVersion"]
    say(f"Kubernetes {version}, one real node: ready after {time.monotonic() - begun:.0f} s")
    pause = 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n'
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "Dockerfile").write_text(pause, encoding="utf-8")
        Path(folder, "pause").write_bytes((BIN / "pause").read_bytes())
        Path(folder, "pause").chmod(0o755)
        run(*DOCKER, "build", "--quiet", "--tag", "rxtract/pause:1", folder)
    images = ["rxtract/pause:1", *(f"rxtract/{name}:{VERSION}" for name in SERVICES)]
    images += [_compose()[name]["image"] for name in ADDRESSES]
    load = f"{' '.join(DOCKER)} save {' '.join(images)} | ctr --address {NODE}/containerd.sock --namespace k8s.io images import -"
    run("bash", "-o", "pipefail", "-c", load)
    say(f"{len(images)} images taken over from Docker")


def _compose() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))[
        "services"
    ]
    return found


def start_servers() -> None:
    """Kafka, registry, Redis and MLflow as pods."""
    documents: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SERVERS}}]
    for name, (address, ports) in ADDRESSES.items():
        documents += _server(name, address, ports)
    kubectl("apply", "--filename", "-", text=yaml.safe_dump_all(documents))
    kubectl("--namespace", SERVERS, "wait", "--for", "condition=Available", "deployment", "--all", "--timeout", "300s")
    say(f"{', '.join(ADDRESSES)} run as pods")


def _server(name: str, address: str, ports: dict[int, int]) -> list[dict[str, Any]]:
    service = _compose()[name]
    environment = {**service.get("environment", {}), **CHANGED.get(name, {})}
    first = next(iter(ports.values()))
    container = {
        "name": name,
        "image": service["image"],
        "imagePullPolicy": "Never",
        "args": [word for word in service.get("command", []) if not word.startswith("--allowed-hosts")],
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "readinessProbe": {"tcpSocket": {"port": first}, "periodSeconds": 2},
        "volumeMounts": [{"name": "data", "mountPath": path} for path in _folders(service)],
    }
    security = {"fsGroup": 1000} if name == "kafka" else {}
    spec = {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": security,
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    labels = {"app": name}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SERVERS},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": SERVERS},
        "spec": {
            "clusterIP": address,
            "selector": labels,
            "ports": [{"name": f"p{port}", "port": port, "targetPort": target} for port, target in ports.items()],
        },
    }
    return [deployment, service]


def _folders(service: dict[str, Any]) -> list[str]:
    return [volume.split(":")[1] for volume in service.get("volumes", [])]


def make_secrets() -> str:
    """The namespace, held to Pod Security's restricted level, with the secrets that the chart names; returns the HTTP token."""
    kubectl("create", "namespace", SPACE)
    kubectl("label", "namespace", SPACE, "pod-security.kubernetes.io/enforce=restricted")
    token = secrets.token_urlsafe(32)
    hashed = hashlib.sha256(token.encode()).hexdigest()
    for name, keys in {
        "rxtract-pseudonym": {"key": secrets.token_hex(32)},
        "rxtract-http-tokens": {"tokens": f"test:{hashed}"},
        "rxtract-sampling": {"key": secrets.token_hex(32)},
        "rxtract-roles": {"key": secrets.token_hex(32)},
        "rxtract-desk": {"key": secrets.token_hex(32), "tokens": f"lead:lead:{hashed}"},
    }.items():
        literals = [f"--from-literal={key}={value}" for key, value in keys.items()]
        kubectl("--namespace", SPACE, "create", "secret", "generic", name, *literals)
    return token


def install() -> None:
    """From nothing to serving, without a manual step."""
    begun = time.monotonic()
    must(helm("install", RELEASE, str(CHART), "--wait", "--timeout", f"{INSTALL_S}s", values=values()))
    say(f"helm install --wait: contract job, first model, every pod ready after {time.monotonic() - begun:.0f} s")
    tested = helm("test", RELEASE, "--timeout", "120s")
    must(tested)
    say("helm test: every service says that it is ready")


def door() -> str:
    """The address of the HTTP door's Service."""
    found = json.loads(kubectl("--namespace", SPACE, "get", "service", f"{RELEASE}-ingestor", "--output=json"))
    return f"http://{found['spec']['clusterIP']}"


class Load:
    """Notes that flow while something is done; afterwards all must have come out."""

    def __init__(self, entities: Entities, token: str) -> None:
        self._entities, self._token, self._sent = entities, token, len(entities.notes)

    def during(self, what: str, seconds: int, action: Any) -> None:
        """Send for so long, act after 5 s, and hold the outcome to the figures."""
        count, since_ms = seconds * RATE, int(time.time() * 1_000)
        sender = simulate(count, RATE, ingest_url=door(), ingest_token=self._token)
        time.sleep(5)
        begun = time.monotonic()
        with Knocks(door(), self._token) as knocks:
            action()
            took_s = time.monotonic() - begun
            finish(sender)
        self._sent += count + knocks.accepted
        self._entities.wait_for(self._sent)
        pause_s = self._entities.longest_pause_s(since_ms)
        say(
            f"{what}: {took_s:.0f} s; {count} notes meanwhile, 0 lost, longest pause {pause_s:.1f} s; "
            f"{knocks.accepted} more, each by a connection of its own, {len(knocks.refused)} refused"
        )
        knocks.check()
        if pause_s > PAUSE_S:
            raise Failed(f"the pause was longer than {PAUSE_S:.0f} s")


def replicas(count: int) -> None:
    """Scale the extractors and wait."""
    name = f"deployment/{RELEASE}-extractor"
    kubectl("--namespace", SPACE, "scale", name, f"--replicas={count}")
    kubectl("--namespace", SPACE, "rollout", "status", name, "--timeout=180s")


def upgrade(service: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """`helm upgrade --wait` with other values."""
    return helm("upgrade", RELEASE, str(CHART), "--wait", *options, values=service)


def changed() -> dict[str, Any]:
    """The values of the upgrade that works."""
    found = values(extractor={"environment": {"RXTRACT_BATCH_RECORDS": "250"}})
    return {**found, "environment": {"RXTRACT_LOG_LEVEL": "WARNING"}}


def broken_upgrade() -> None:
    """A value that the chart cannot know to be wrong: the pod says why and ends with code 2, helm goes back."""
    wrong = changed()
    wrong["services"]["extractor"]["environment"] = {"RXTRACT_BATCH_RECORDS": "0"}
    result = upgrade(wrong, "--atomic", "--timeout", "60s")
    if result.returncode == 0:
        raise Failed("a broken upgrade was taken")
    status = json.loads(helm("status", RELEASE, "--output", "json").stdout)
    if status["info"]["status"] != "deployed" or "Rollback" not in status["info"]["description"]:
        raise Failed(f"not rolled back: {status['info']}")


def refused() -> None:
    """What the schema knows is refused before anything happens."""
    for wrong in ({"healtPort": 1}, {"kafka": {"bootstrapServers": 5}}):
        result = upgrade({**changed(), **wrong})
        if result.returncode == 0:
            raise Failed(f"taken: {wrong}")
    say("a misspelt value and a wrong type: refused by values.schema.json, nothing touched")


def operators() -> None:
    """With everything for operators turned on, the API server takes the whole chart by the operators' own definitions."""
    run(sys.executable, "deploy/crds/fetch.py")
    files = sorted(crds.folder().glob("*.yaml"))
    for file in files:
        kubectl("apply", "--server-side", "--filename", str(file))
    kubectl("wait", "--for", "condition=Established", "crd", "--all", "--timeout", "60s")
    everything = {
        **changed(),
        "monitoring": {"serviceMonitor": True, "prometheusRule": True},
        "autoscaling": {"kind": "keda", "prometheus": "http://prometheus:9090"},
        "strimzi": {"topics": True, "users": True},
    }
    everything["kafka"] |= {"securityProtocol": "SASL_SSL", "saslMechanism": "SCRAM-SHA-512"}
    everything["kafka"] |= {"existingSecret": "kafka-login", "caSecret": "kafka-ca"}
    rendered = helm("template", "dry", str(CHART), "--no-hooks", "--kube-version", KUBE, values=everything)
    must(rendered)
    check = ("--namespace", SPACE, "apply", "--dry-run=server", "--validate=strict", "--filename", "-")
    taken = kubectl(*check, text=rendered.stdout).splitlines()
    wrong = rendered.stdout.replace("maxReplicaCount:", "maxReplicasCount:")
    try:
        kubectl(*check, text=wrong)
    except Failed as error:
        if "maxReplicasCount" not in str(error):
            raise
    else:
        raise Failed("a misspelt field of a ScaledObject was taken")
    ours = [line for line in taken if any(word in line for word in ("monitoring.coreos", "keda.sh", "kafka.strimzi"))]
    say(
        f"server-side dry run, strict, with ServiceMonitor, PrometheusRule, KEDA, Strimzi, TLS and SASL on: {len(taken)} resources "
        f"taken, {len(ours)} of them by the definitions of {len(files)} operators' kinds; a misspelt field refused"
    )


def uninstall() -> None:
    """Nothing is left but what was there before, and the contract jobs as history."""
    must(helm("uninstall", RELEASE, "--wait", "--cascade", "foreground", "--timeout", "120s"))
    kinds = "deployments,services,pods,networkpolicies,poddisruptionbudgets,serviceaccounts,horizontalpodautoscalers"
    left = [
        line
        for line in kubectl("--namespace", SPACE, "get", kinds, "--output=name").split()
        if "contract" not in line and line != "serviceaccount/default"
    ]
    if left:
        raise Failed(f"left behind: {', '.join(left)}")
    say("helm uninstall: nothing left but finished contract jobs, kept a day as history")


def live() -> None:
    """All that is done with the chart."""
    start_servers()
    token = make_secrets()
    install()
    entities = Entities(f"{KAFKA}:9092", f"http://{REGISTRY}:8081/apis/ccompat/v7")
    finish(simulate(500, 0, ingest_url=door(), ingest_token=token))
    entities.wait_for(500)
    say(f"500 notes by HTTP: all came out, {entities.found} entities")
    load = Load(entities, token)
    load.during("extractors 1 to 3", 30, lambda: replicas(3))
    load.during("extractors 3 to 1", 30, lambda: replicas(1))
    load.during("helm upgrade of every service", 75, lambda: must(upgrade(changed(), "--timeout", "300s")))
    refused()
    operators()
    load.during("a broken upgrade (RXTRACT_BATCH_RECORDS=0), rolled back by --atomic", 75, broken_upgrade)
    uninstall()


def main() -> int:
    """All of it; whatever happens, the node goes down."""
    if os.geteuid() != 0:
        print("cluster-test: a node needs root", file=sys.stderr)  # noqa: T201
        return 1
    try:
        try:
            start_node()
            live()
        except Failed:
            for space in (SERVERS, SPACE):
                print(kubectl("--namespace", space, "get", "pods", "--output=wide", check=False))  # noqa: T201
                print(kubectl("--namespace", space, "get", "events", check=False)[-3000:])  # noqa: T201
            raise
        finally:
            if "--keep" not in sys.argv:
                run("bash", "deploy/cluster/node.sh", "down", str(NODE))
    except Failed as error:
        print(f"cluster-test: {error}", file=sys.stderr)  # noqa: T201
        return 1
    write_transcript(
        TRANSCRIPT,
        "The chart on a real cluster",
        "`make cluster-test` writes this page. API server, scheduler,\n"
        "controllers, kubelet, containerd, kube-proxy and CoreDNS are real, on one node; the servers of others run as pods from stand-in images.\n"
        "The bridge network does not enforce NetworkPolicy, and no operator (KEDA, Strimzi, Prometheus) acts here.",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
