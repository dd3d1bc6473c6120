"""A door with the shipped model, without Kafka: what the page shows is what the model finds."""

import hashlib
import threading
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(scope="session")
def tables() -> bytes:
    """The shipped model."""
    from rxtract.first_model import first_model

    return (first_model().folder / "tables.npz").read_bytes()


@pytest.fixture
def open_door(tables: bytes, tmp_path) -> Iterator[Callable[..., str]]:
    """Starts doors; gives their addresses."""
    from answerer import bootstrap
    from answerer.settings import AnswererSettings
    from model_registry.version import Version
    from runtime.web.server import HttpServer, listen

    champion = Version.of("rxtract-ner", "1", 1, hashlib.sha256(tables).hexdigest())

    class Models:
        version = champion

        def by_alias(self, name: str, alias: str) -> Version:
            return self.version

        def tables(self, version: Version) -> bytes:
            return tables

    class NoRules:
        def by_alias(self, name: str, alias: str) -> None:
            return None

    running = []

    def start(**settings: object) -> str:
        shared = bootstrap.share(
            AnswererSettings.load(
                bootstrap_servers="unused:1",
                schema_registry_url="http://unused",
                model_cache_dir=tmp_path / "models",
                http_drain_s=0,
                **settings,
            ),
            models=Models(),
            rules=NoRules(),
        )
        bootstrap.load_first(shared)
        listening = listen("127.0.0.1", 0, "RXTRACT_HTTP_PORT", None, backlog=64)
        server = HttpServer(bootstrap.http_door(shared), shared.stop, shared.http_liveness, shared.readiness, drain_s=0)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        running.append((shared.stop, thread))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for stop, thread in running:
        stop.set()
        thread.join(10)
