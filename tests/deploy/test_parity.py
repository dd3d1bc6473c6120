"""Code, images, compose, chart, Prometheus and docs name the same services, variables, ports, topics and consumer groups."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from contracts.topics import dlq_of, load_topics
from runtime.service.contract import STEPS
from runtime.service.known_variables import OF_TOOLS
from runtime.service.settings import variable_name
from runtime.service.settings_reference import is_secret, settings_of
from rxtract.deployment import GROUPED
from terminology import store

sys.path.insert(0, str(Path(__file__).parent))

import found

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/rxtract"
SETTINGS = {
    path.parents[2].name: settings_of([f"{path.parent.name}.settings"])[0]
    for path in sorted(ROOT.glob("services/*/src/*/settings.py"))
}
SERVICES = sorted(SETTINGS)
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *sorted(ROOT.glob("docs/**/*.md"))]
CODE = "\n".join(
    path.read_text()
    for folder in ("libs", "cli", "benchmarks", "deploy", "tests")
    for path in ROOT.glob(f"{folder}/**/*.py")
    if "known_variables" not in path.name
)
VARIABLE = re.compile(r"\bRXTRACT_[A-Z][A-Z_]*[A-Z]\b")
TOPIC = re.compile(r"\b[a-z]+\.[a-z]+\.v\d+(?:\.dlq)?\b")


def variables(service):
    return {variable_name(name): field for name, field in SETTINGS[service].model_fields.items()}


EVERY = {name for service in SERVICES for name in variables(service)}


def chart_environment(service):
    """What the chart tells a service: its own values, those of all, and what the templates add."""
    own = VALUES["services"][service]
    templates = (CHART / "templates/_helpers.tpl").read_text() + (CHART / "templates/deployments.yaml").read_text()
    return {
        "own": {**(own.get("environment") or {}), **(own.get("secretFiles") or {}), **VALUES["environment"]},
        "templates": set(VARIABLE.findall(templates)),
    }


def test_every_list_of_services_is_the_folder_services():
    folders = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
    assert folders == SERVICES
    ours = {name for name, service in COMPOSE.items() if service.get("image", "").startswith("rxtract/")}
    assert sorted(ours - {"keys", "contract", "demo"}) == SERVICES
    assert sorted(VALUES["services"]) == SERVICES
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert sorted(job["job_name"] for job in prometheus["scrape_configs"]) == SERVICES
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    watched, missed = re.findall(r'\bup\{job=~"([^"]+)"\}', rules)
    assert sorted(watched.split("|")) == SERVICES
    always = [name for name in SERVICES if VALUES["services"][name].get("enabled", True)]
    assert sorted(missed.split("|")) == always
    assert sorted(re.findall(r'unless on \(namespace\) up\{job="([^"]+)"\}', rules)) == always
    assert sorted(settings.service for settings in SETTINGS.values()) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_compose_sets_what_the_service_needs_and_nothing_unknown(service):
    known, told = variables(service), COMPOSE[service]["environment"]
    shared = set(COMPOSE["contract"]["environment"]) | {"RXTRACT_LOG_LEVEL", "RXTRACT_REDIS_URL", "RXTRACT_MLFLOW_URL"}
    shared |= {"RXTRACT_TRACING_ENDPOINT", "RXTRACT_TRACING_RATIO"}
    assert set(told) - set(known) - shared == set()
    assert {name for name, field in known.items() if field.is_required()} - set(told) == set()
    assert shared - EVERY == set()


@pytest.mark.parametrize("service", SERVICES)
def test_chart_sets_what_the_service_needs_and_nothing_unknown(service):
    known, told = variables(service), chart_environment(service)
    assert set(told["own"]) - set(known) == set()
    assert told["templates"] - EVERY == set()
    assert {name for name, field in known.items() if field.is_required()} - set(told["own"]) - told[
        "templates"
    ] == set()
    assert VALUES["services"][service]["module"] == service.replace("-", "_")


@pytest.mark.parametrize("service", SERVICES)
def test_compose_and_chart_tell_a_service_the_same_own_variables(service):
    shared = EVERY - {name for name in variables(service) if name not in _of_all()}
    compose = set(COMPOSE[service]["environment"]) - shared
    chart = set(chart_environment(service)["own"]) - shared
    only_behind_https = {"RXTRACT_DESK_SECURE_COOKIE"}
    made_by_a_template = {
        "RXTRACT_LEDGER_URL",
        "RXTRACT_SEALING",
        "RXTRACT_KEY_STORE_FILE",
        "RXTRACT_MASTER_KEY_FILE",
    } & chart_environment(service)["templates"]
    assert compose - made_by_a_template == chart - only_behind_https


def test_the_images_of_services_that_read_codes_hold_the_base_table():
    dockerfile = (ROOT / "Dockerfile").read_text()
    case = re.search(
        r"case \"\$\{SERVICE\}\" in (\S+)\) install -D -m 0644 /tables/base.table (\S+)/base.table ;;", dockerfile
    )
    holding, folder = set(case[1].split("|")), case[2]
    assert holding == {service for service in SERVICES if "RXTRACT_TERMINOLOGY_DIR" in variables(service)} | {"cli"}
    told = [COMPOSE["review-desk"], VALUES["services"]["review-desk"]]  # the enricher reads this folder by itself
    assert [one["environment"]["RXTRACT_TERMINOLOGY_DIR"] for one in told] == [folder, folder]
    assert str(store()) == f"{sys.prefix}/share/rxtract/terminology"
    assert folder == "/opt/rxtract/share/rxtract/terminology"


@pytest.mark.parametrize("service", SERVICES)
def test_a_secret_never_stands_as_a_value(service):
    secret = {name for name, field in variables(service).items() if is_secret(field)}
    plain = {**(VALUES["services"][service].get("environment") or {}), **VALUES["environment"]}
    assert set(plain) & secret == set()
    files = VALUES["services"][service].get("secretFiles") or {}
    assert set(files) - secret == set()
    for name in set(COMPOSE[service]["environment"]) & secret:
        assert COMPOSE[service]["environment"][name].startswith("/etc/rxtract/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_docs_name_variables_and_topics_that_exist(page):
    text = page.read_text()
    assert set(VARIABLE.findall(text)) - EVERY - OF_TOOLS == set()
    assert set(TOPIC.findall(text)) - _topics() == set()


def test_what_tools_read_is_in_their_code():
    assert {
        name for name in OF_TOOLS if name not in CODE and name.removeprefix("RXTRACT_").lower() not in CODE
    } == set()
    assert set() == OF_TOOLS & EVERY


@pytest.mark.parametrize("file", ["docker-compose.yml", "Dockerfile", "Makefile", "deploy/compose/make_keys.py"])
def test_build_files_name_variables_that_exist(file):
    assert set(VARIABLE.findall((ROOT / file).read_text())) - EVERY - OF_TOOLS == set()


def test_the_contract_is_applied_from_a_small_image_that_has_the_module():
    job = (CHART / "templates/contract-job.yaml").read_text()
    (image,) = re.findall(r'"rxtract.image" \(list \$root "([^"]+)"\)', job)
    assert COMPOSE["contract"]["image"].startswith(f"rxtract/{image}:")
    assert image in SERVICES
    command = COMPOSE["contract"]["command"]
    assert command == ["python", "-m", "runtime.service.contract", *STEPS]
    assert "command: [python, -m, runtime.service.contract, {{ $step }}]" in job


def test_ports_agree():
    (health,) = re.findall(r"RXTRACT_HEALTH_PORT=(\d+)", DOCKERFILE)
    assert re.findall(r"^EXPOSE (\d+)", DOCKERFILE, re.MULTILINE) == [health]
    assert str(VALUES["healthPort"]) == health
    prometheus = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    assert {str(one["port"]) for job in prometheus["scrape_configs"] for one in job["dns_sd_configs"]} == {health}
    for service in SERVICES:
        inside = {port.rpartition(":")[2] for port in COMPOSE[service].get("ports", [])}
        chart = VALUES["services"][service].get("httpPort")
        assert inside == ({str(chart)} if chart else set())
        listening = {
            str(value) for name, value in COMPOSE[service]["environment"].items() if re.fullmatch(r".*_PORT", name)
        }
        assert listening == inside
    published = [port.split(":")[1] for one in COMPOSE.values() for port in one.get("ports", [])]
    assert len(published) == len(set(published))
    assert all(port.startswith("127.0.0.1:") for one in COMPOSE.values() for port in one.get("ports", []))


def test_consumer_groups_are_named_after_their_service_everywhere():
    groups = _groups()
    assert groups
    for service, group in groups.items():
        assert group == f"rxtract-{service}"
    for own in VALUES["services"].values():
        if own.get("lag"):
            assert own["lag"]["topic"] in load_topics()
    in_cli = re.findall(
        r'^[A-Z]+_GROUP = "([^"]+)"', "\n".join(p.read_text() for p in ROOT.glob("cli/src/**/*.py")), re.MULTILINE
    )
    assert set(in_cli) - set(groups.values()) == set()
    assert set(GROUPED) == set(groups)


def test_topics_in_rules_chart_and_dashboards_exist():
    files = [*ROOT.glob("deploy/prometheus/*.yml"), *ROOT.glob("deploy/grafana/**/*.json"), CHART / "values.yaml"]
    for file in files:
        assert set(TOPIC.findall(file.read_text())) - _topics() == set(), file


def test_one_version_and_one_set_of_images():
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    images = {service["image"] for service in COMPOSE.values() if service["image"].startswith("rxtract/")}
    assert images == {f"rxtract/{name}:{version}" for name in [*SERVICES, "cli"]}
    for name in SERVICES:
        assert COMPOSE[name]["build"]["args"] == {"SERVICE": name, "TRACING": "${TRACING:-}"}
        assert (ROOT / f"requirements/{name}.txt").is_file()


def docker_compose():
    """Docker's compose, as a plugin or as `make test-tools` builds it; with neither a person skips and CI fails."""
    for command in (["docker", "compose"], [str(found.BUILT / "docker-compose")]):
        if shutil.which(command[0]) and subprocess.run([*command, "version"], capture_output=True).returncode == 0:
            return command
    if found.IN_CI:
        pytest.fail("CI needs docker compose: make test-tools did not bring it")
    pytest.skip("no docker compose: run make test-tools (needs Go)")


@pytest.mark.parametrize("profile", ["", "console", "demo", "observability"])
def test_docker_compose_takes_the_file(profile):
    command = docker_compose()
    chosen = ["--profile", profile] if profile else []
    result = subprocess.run([*command, *chosen, "config"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "variable is not set" not in result.stderr
    services = yaml.safe_load(result.stdout)["services"]
    assert {name for name, one in COMPOSE.items() if profile in one.get("profiles", [])} <= set(services)


def test_docker_compose_refuses_a_misspelt_key(tmp_path):
    command = docker_compose()
    wrong = {"services": {"one": {"image": "x", "depend_on": ["two"]}}}
    (tmp_path / "docker-compose.yml").write_text(yaml.safe_dump(wrong))
    result = subprocess.run([*command, "config", "-q"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert result.returncode != 0
    assert "depend_on" in result.stderr


def _of_all():
    first, *others = [set(variables(service)) for service in SERVICES]
    return first.intersection(*others)


def _topics():
    plain = set(load_topics())
    return plain | {dlq_of(name) for name in plain}


def _groups():
    found = {}
    for service in SERVICES:
        text = "\n".join(path.read_text() for path in ROOT.glob(f"services/{service}/src/**/*.py"))
        for group in re.findall(r'^GROUP = "([^"]+)"', text, re.MULTILINE):
            found[service] = group
    return found
