"""What can be said of the images without building them; `make images` builds them and asks the rest."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))


def locked(name):
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))


def test_no_frontend_is_fetched():
    assert "# syntax=" not in DOCKERFILE  # BuildKit would pull it, which fails without a network


def test_the_image_runs_without_rights_and_says_whether_it_is_ready():
    assert "USER 10001:10001" in DOCKERFILE
    assert "HEALTHCHECK" in DOCKERFILE
    assert "org.opencontainers.image.version" in DOCKERFILE


@pytest.mark.parametrize("name", [*SERVICES, "cli", "build", "installer", "compiler"])
def test_everything_that_is_installed_is_locked_with_hashes(name):
    text = (ROOT / f"requirements/{name}.txt").read_text()
    pinned = re.findall(r"^[a-z0-9-]+==.*(?:\n    .*)*", text, re.MULTILINE)
    assert pinned
    assert [entry for entry in pinned if "--hash=sha256:" not in entry] == []


def test_the_extractor_needs_no_training_libraries():
    assert locked("extractor") & {"pandas", "scikit-learn", "scipy", "mlflow", "mlflow-skinny", "pyarrow"} == set()


@pytest.mark.parametrize("name", [*SERVICES, "cli"])
def test_a_bill_of_materials_lists_each_package_once(name):
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "deploy/sbom.py")
    sbom = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sbom)
    listed = re.findall(r"^([a-z0-9-]+)==", sbom.held((ROOT / f"requirements/{name}.txt").read_text()), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) <= locked(name)
    assert "confluent-kafka" in listed
    assert "pywin32" not in listed


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ERROR: BuildKit is enabled but the buildx component is missing or broken.", "name another client by DOCKER="),
        ("Cannot connect to the Docker daemon at unix:///x. Is it running?", "start one"),
        ("step 3\nno space left on device", "no space left on device"),
    ],
)
def test_a_build_that_fails_says_what_the_machine_lacks(said, told):
    spec = importlib.util.spec_from_file_location("images", ROOT / "deploy/images.py")
    images = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(images)
    assert told in images.why_not(said)
