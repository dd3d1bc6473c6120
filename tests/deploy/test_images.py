"""What can be said of the images without building them; `make images` builds them and asks the rest."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import found

ROOT = Path(__file__).resolve().parents[2]
CHECKERS = ["uv", "run", "--quiet", "--offline", "--no-project", "--isolated"]
CHECKERS += ["--with-requirements", str(ROOT / "requirements/deploy.txt")]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))


def locked(name):
    return set(re.findall(r"^([a-z0-9-]+)==", (ROOT / f"requirements/{name}.txt").read_text(), re.MULTILINE))


def checked(*command, **options):
    """A checker of requirements/deploy.txt, without the network: `make test-tools` has fetched it."""
    uv = str(Path(sys.executable).with_name("uv"))
    run = [uv, *CHECKERS[1:], *command]
    result = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options)
    if "network was disabled" in result.stderr or "offline" in result.stderr:
        if found.IN_CI:
            pytest.fail(result.stderr)
        pytest.skip(f"no {command[0]}: run make test-tools")
    return result


def test_hadolint_finds_nothing_in_the_dockerfile():
    result = checked("hadolint", "Dockerfile")
    assert result.returncode == 0, result.stdout


def test_hadolint_refuses_a_careless_dockerfile():
    result = checked("hadolint", "-", input="FROM debian\nRUN apt-get update && apt-get install curl\n")
    assert result.returncode != 0
    assert "DL3006" in result.stdout


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


def sbom():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "deploy/sbom.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", [*SERVICES, "cli"])
def test_a_bill_of_materials_lists_each_package_once(name):
    listed = re.findall(r"^([a-z0-9-]+)==", sbom().held((ROOT / f"requirements/{name}.txt").read_text()), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) <= locked(name)
    assert "confluent-kafka" in listed
    assert "pywin32" not in listed


HOST_AS_IMAGE = """#!{python}
import subprocess, sys
assert sys.argv[1:4] == ["run", "--rm", "--pull=never"], sys.argv
sys.exit(subprocess.run([sys.executable, *sys.argv[sys.argv.index("-c"):]]).returncode)
"""
"""A Docker client whose every image is this machine's own Python and Debian."""


def bill(tmp_path, docker):
    uv = {**os.environ, "DOCKER": str(docker)}
    result = checked("python", "deploy/sbom.py", "--to", str(tmp_path), "ingestor", env=uv)
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / "ingestor.cdx.json").read_text())


def test_a_bill_without_its_image_says_that_it_is_of_the_lock(tmp_path):
    made = bill(tmp_path, tmp_path / "no-docker")
    names = {one["name"] for one in made["components"]}
    assert names == {one["name"] for one in made["components"] if one["purl"].startswith("pkg:pypi/")}
    assert "the image was not there" in made["metadata"]["properties"][-1]["value"]
    hashed = [one for one in made["components"] if "sha256" in json.dumps(one).lower().replace("-", "")]
    assert len(hashed) == len(made["components"])


def test_a_bill_of_a_built_image_holds_debians_packages_and_python(tmp_path):
    docker = tmp_path / "docker"
    docker.write_text(HOST_AS_IMAGE.format(python=sys.executable))
    docker.chmod(0o755)
    purls = [one["purl"] for one in bill(tmp_path, docker)["components"]]
    assert len(purls) == len(set(purls))
    assert any(one.startswith("pkg:pypi/confluent-kafka@") for one in purls)
    assert any(one.startswith("pkg:pypi/pytest@") for one in purls)  # in no lock of the ingestor, but in this "image"
    assert any(one.startswith("pkg:generic/python@3.") for one in purls)
    status = Path("/var/lib/dpkg/status")
    if status.exists():
        assert any("/libc6@" in one for one in purls if one.startswith("pkg:deb/"))


def test_a_locked_package_that_the_image_lacks_is_named():
    """An image of another lock: its bill would list what is not in it."""
    listed = {"components": [{"name": "Faust_Streaming", "version": "0.11"}, {"name": "httpx", "version": "0.28.1"}]}
    same = {"image": "i", "packages": [["faust-streaming", "0.11.0"], ["httpx", "0.28.1"], ["pip", "25"]]}
    assert sbom().lacking(listed, same) == []
    other = {"image": "i", "packages": [["httpx", "0.27.0"], ["pip", "25"]]}
    assert sbom().lacking(listed, other) == ["faust-streaming 0.11", "httpx 0.28.1"]


def failed_bill(tmp_path, script):
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n{script}\n")
    docker.chmod(0o755)
    env = {**os.environ, "DOCKER": str(docker)}
    result = checked("python", "deploy/sbom.py", "--to", str(tmp_path), "ingestor", env=env)
    assert result.returncode != 0
    assert not (tmp_path / "ingestor.cdx.json").exists()
    return result.stderr.strip().splitlines()[-1]


def test_a_bill_of_an_image_of_another_lock_fails(tmp_path):
    told = json.dumps({"python": "3.11.2", "packages": [["pip", "25"]], "os": "", "dpkg": ""})
    said = failed_bill(tmp_path, f"echo '{told}'")
    assert "make images" in said
    assert "confluent-kafka" in said


def test_an_image_that_cannot_be_asked_is_not_taken_for_one_that_is_not_there(tmp_path):
    said = failed_bill(tmp_path, "echo 'docker: Cannot connect to the Docker daemon' >&2; exit 125")
    assert "Cannot connect to the Docker daemon" in said


def test_an_image_that_is_not_there_leaves_a_bill_of_the_lock(tmp_path):
    docker = tmp_path / "docker"
    docker.write_text(
        "#!/bin/sh\necho 'docker: Error response from daemon: No such image: rxtract/ingestor:1' >&2; exit 125\n"
    )
    docker.chmod(0o755)
    assert "the image was not there" in bill(tmp_path, docker)["metadata"]["properties"][-1]["value"]


def test_debians_list_is_read_as_dpkg_means_it():
    listed = """Package: libssl3
Status: install ok installed
Architecture: amd64
Version: 3.0.17-1~deb12u2
Description: library
 Status: not a field

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1:2.0+b1
"""
    (one,) = sbom().debian(listed, 'NAME="Debian"\nID=debian\nVERSION_ID="12"\n')
    assert one["purl"] == "pkg:deb/debian/libssl3@3.0.17-1~deb12u2?arch=amd64&distro=debian-12"
    assert (one["name"], one["version"]) == ("libssl3", "3.0.17-1~deb12u2")


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
