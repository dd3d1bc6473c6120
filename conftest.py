"""What every test of this run stands on, wherever it lies."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# A slow example on a busy machine is no defect: tests of speed compare two ways within one run.
settings.register_profile("any machine", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=30)  # of make test-unit
settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """No test finds the stack that a developer, or a test beside it, started last."""
    state = tempfile.mkdtemp(prefix="rxtract-state-")
    os.environ["XDG_STATE_HOME"] = state
    config.add_cleanup(lambda: shutil.rmtree(state, ignore_errors=True))


LONGEST = (
    "tests/e2e/test_demo.py",
    "tests/integration/test_trainer_triggers.py",
    "tests/docs/test_commands.py",
    "tests/integration/test_trainer.py",
    "tests/docs/test_site.py",
    "tests/faults/test_positions.py",
    "tests/integration/test_ingestor_killers.py",
    "tests/desk/test_desk_page.py",
    "tests/faults/test_extractor_faults.py",
    "tests/faults/test_drift_watcher_kill.py",
    "tests/integration/test_kafka_rights.py",
    "tests/integration/test_what_is_taken_away.py",
    "libs/embedded-stack/tests/test_real_servers.py",
    "tests/fhir/test_hapi.py",
    "tests/clients/test_example_clients.py",
    "tests/clients/test_java_classes.py",
)
"""Files of minutes, the longest first; after them come all that need servers, then the rest."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Beside others a worker takes long files first: one that begins last would run alone while the others have nothing left."""
    if not hasattr(config, "workerinput"):
        return
    places = {config.rootpath / name: number for number, name in enumerate(LONGEST)}
    gone = [str(path) for path in places if not path.is_file()]
    if gone:
        raise pytest.UsageError(f"conftest.py names files that are not there: {', '.join(gone)}")
    servers = {item.path for item in items if item.get_closest_marker("stack")}

    def rank(path: Path) -> int:
        return places.get(path, len(LONGEST) + (path not in servers))

    items.sort(key=lambda item: rank(item.path))
