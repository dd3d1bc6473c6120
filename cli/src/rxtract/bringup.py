"""Brings everything up in order: servers, topics and schemas, a champion, the services. `up`, the demo and tests call it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections import deque
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from confluent_kafka.admin import AdminClient
from contracts.apply import apply_schemas, apply_topics, refuse_old_contract
from contracts.files import OLD_NAMESPACE
from contracts.registry import ConfluentRegistry, OldNamespace
from contracts.topics import load_topics
from embedded_stack import progress as steps
from embedded_stack.addresses import write_stack_json
from embedded_stack.errors import StackError
from embedded_stack.services import ServiceProcess, end_services
from embedded_stack.stack import EmbeddedStack
from runtime.errors import RxtractError
from sealing import Place, open_keys
from sealing.rotation import initialise
from terminology import store

from rxtract.addresses import StackAddresses, with_variables
from rxtract.first_model import first_model, has_champion, register_first_model
from rxtract.mlflow_server import runs_page
from rxtract.stack_ports import door_ports, ports_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from embedded_stack.progress import Progress

MODEL_NAME = "rxtract-ner"
CLIENT = "local"
HTTP_PORT_FILE = "run/http.port"
DESK_PORT_FILE = "run/desk.port"
SCORE_PORT_FILE = "run/score.port"
ANSWER_PORT_FILE = "run/answer.port"
RECORDS, LEDGER = "records", "ledger"
LOOP = ("drift-watcher", "trainer", "review-desk", "scorekeeper", "ledger")
"""What closes the loop from drift to a new model, shows how well that goes, and holds every note against its effect."""
PLACES = {
    "RXTRACT_HTTP_PORT_FILE": HTTP_PORT_FILE,
    "RXTRACT_DESK_PORT_FILE": DESK_PORT_FILE,
    "RXTRACT_SCORE_PORT_FILE": SCORE_PORT_FILE,
}
"""Settings that name a place in the stack's folder."""
ANSWERER = "answerer"
"""What answers single notes at once, and has the page to try them."""
ENRICHER = "enricher"
"""What gives entities their codes."""
TABLES_DIR = "RXTRACT_TERMINOLOGY_DIR"
NOTIFIER, WEBHOOKS_FILE = "notifier", "RXTRACT_WEBHOOKS_FILE"
"""What tells sources of their notes, and the variable that names its endpoints: started where that is set."""
TOKEN_BYTES = 24
PSEUDONYM_KEY_BYTES = 48


class Revivals:
    """How often a child may be started again.

    Args:
        most: So often, each child.
        within_s: In so many seconds.
        clock: Monotonic seconds.
    """

    def __init__(self, most: int = 5, within_s: float = 600.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._within_s = within_s
        self._clock = clock
        self._at_s: dict[str, deque[float]] = {}

    def count(self, name: str, why: str) -> str:
        """Count one more; how often it was.

        Raises:
            StackError: That is too often.
        """
        now_s = self._clock()
        times = self._at_s.setdefault(name, deque())
        while times and times[0] < now_s - self._within_s:
            times.popleft()
        minutes = f"{self._within_s / 60:.0f} minutes"
        if len(times) >= self._most:
            raise StackError(f"{why}; it was started again {self._most} times within {minutes}: it does not help")
        times.append(now_s)
        return f"started again ({len(times)} of at most {self._most} within {minutes})"


@dataclass(slots=True)
class Running:
    """A whole stack that runs: servers, services, and where everything answers."""

    stack: EmbeddedStack
    data_dir: Path
    addresses: StackAddresses
    environment: dict[str, str]
    services: dict[str, ServiceProcess] = field(default_factory=dict)
    topics: int = 0
    subjects: int = 0
    model_version: str = ""

    def failures(self) -> list[str]:
        """Return one line for each process that ended although nobody asked it to."""
        ended = [service.why_ended() for service in self.services.values() if not service.running()]
        return [*self.stack.failures(), *ended]

    def revive(self, revivals: Revivals, say: Callable[[str], None]) -> None:
        """Start again whatever ended although nobody asked it to.

        Args:
            revivals: How often that may happen.
            say: Given one line for each.

        Raises:
            StackError: Something ended too often.
        """
        for name, why in self.stack.ended().items():
            say(f"{why}; {revivals.count(name, why)}")
            self.stack.restart(name)
        for name, service in self.services.items():
            if not service.running():
                why = service.why_ended()
                say(f"{why}; {revivals.count(name, why)}")
                service.start_again(self._ports_of(name))

    def _ports_of(self, name: str) -> dict[str, str]:
        """The port that a service had, which people and stack.json know."""
        place = {
            "ingestor": ("RXTRACT_HTTP_PORT", HTTP_PORT_FILE),
            "scorekeeper": ("RXTRACT_SCORE_PORT", SCORE_PORT_FILE),
            ANSWERER: ("RXTRACT_HTTP_PORT", ANSWER_PORT_FILE),
        }
        if name not in place:
            return {}
        variable, file = place[name]
        with contextlib.suppress(OSError):
            return {variable: (self.data_dir / file).read_text(encoding="utf-8").strip()}
        return {}

    def start_service(self, module: str, name: str = "", env: dict[str, str] | None = None) -> ServiceProcess:
        """Start one more replica of a service with this stack's settings; it ends with the stack."""
        service = ServiceProcess(module, self.data_dir, {**self.environment, **(env or {})}, name=name)
        self.services[service.name] = service
        service.start()
        return service


@contextlib.contextmanager
def bring_up(
    data_dir: Path,
    *,
    ephemeral: bool,
    progress: Progress = steps.silent,
    extractors: int = 1,
    close_loop: bool = False,
    service_env: Mapping[str, Mapping[str, str]] | None = None,
    port_base: int | None = None,
) -> Iterator[Running]:
    """Run the whole stack for as long as the block runs.

    Args:
        data_dir: The stack's folder.
        ephemeral: Keep nothing.
        progress: Told of each step.
        extractors: How many.
        close_loop: Start what retrains and what keeps the score too: drift-watcher, trainer, review desk, scorekeeper,
            ledger.
        service_env: More settings by service.
        port_base: The first of the ports to take; None: those of the last time in this folder, or free ones.

    Raises:
        StackError: something could not start; one line; everything that was started has been ended.
    """
    doors, servers = (None, None) if port_base is None else ports_from(port_base)
    with EmbeddedStack(data_dir, ephemeral=ephemeral, progress=progress, ports=servers) as stack:
        folder = stack.data_dir
        ports = door_ports(folder, doors)
        token, desk, lead = _tokens(folder)
        places = {name: str(folder / place) for name, place in PLACES.items()}
        # Both go with the topics that they were made from.
        records = {
            "RXTRACT_RECORDS_DIR": str(stack.kept_dir / RECORDS),
            "RXTRACT_LEDGER_DIR": str(stack.kept_dir / LEDGER),
        }
        pages = {
            "RXTRACT_DESK_PORT": str(ports["review-desk"]),
            "RXTRACT_SCORE_PORT": str(ports["scorekeeper"]),
            "RXTRACT_SCORE_DESK_URL": f"http://127.0.0.1:{ports['review-desk']}",
        }
        own = {
            "ingestor": {"RXTRACT_HTTP_PORT": str(ports["ingestor"])},
            ANSWERER: {
                "RXTRACT_HTTP_PORT": str(ports[ANSWERER]),
                "RXTRACT_HTTP_PORT_FILE": str(folder / ANSWER_PORT_FILE),
                "RXTRACT_HTTP_OPEN": "true",  # nobody but this machine reaches it
            },
            "ledger": {"RXTRACT_HEALTH_PORT": str(ports[LEDGER])},
            "scorekeeper": {"RXTRACT_LEDGER_URL": f"http://127.0.0.1:{ports[LEDGER]}"},
            "review-desk": {TABLES_DIR: os.environ.get(TABLES_DIR) or str(store())},  # those that the enricher codes by
        }
        more = {
            name: {**own.get(name, {}), **(service_env or {}).get(name, {})} for name in {*own, *(service_env or {})}
        }
        keys = _secrets(folder, token, desk, lead)
        sealed = _key_store(folder)
        environment = {**stack.addresses.as_environment(), **keys, **places, **records, **pages, **sealed}
        environment["RXTRACT_HTTP_DRAIN_S"] = "0"  # no load balancer stands before these: Ctrl-C is not made to wait
        known = StackAddresses(
            bootstrap_servers=stack.addresses.bootstrap_servers,
            schema_registry_url=stack.addresses.schema_registry_url,
            redis_url=stack.addresses.redis_url,
            mlflow_url=stack.addresses.mlflow_url,
            ingest_token=token,
            ingest_source=CLIENT,
            desk_token=desk if close_loop else "",
            desk_lead_token=lead if close_loop else "",
            pseudonym_key_file=keys["RXTRACT_PSEUDONYM_KEY_FILE"],
        )
        known = with_variables(asdict(known), sealed)
        running = Running(stack, folder, known, environment)
        try:
            with _step(progress, "Topics and schemas") as done:
                _apply_contract(running)
                done(f"{running.topics} topics, {running.subjects} subjects")
            with _step(progress, "Champion") as done:
                done(_ensure_champion(running, lambda words: progress("Champion", steps.BUSY, words)))
            names = service_names(extractors, close_loop=close_loop)
            names += [NOTIFIER] if close_loop and os.environ.get(WEBHOOKS_FILE) else []
            _start_services(running, progress, names, more)
            _publish_addresses(running)
            yield running
        finally:
            end_services(list(running.services.values()))
            (folder / "stack.json").unlink(missing_ok=True)


def _apply_contract(running: Running) -> None:
    topics = load_topics()
    registry = ConfluentRegistry(running.addresses.schema_registry_url)
    try:
        refuse_old_contract(registry)
    except OldNamespace:
        raise StackError(
            f"{running.data_dir} holds records of the old namespace {OLD_NAMESPACE}, which this release cannot read: "
            "give another folder with --data, or delete this one"
        ) from None
    quiet = {"bootstrap.servers": running.addresses.bootstrap_servers, "log_level": 0}
    apply_topics(quiet, topics, sealing=_seals())
    apply_schemas(registry)
    running.topics = sum(2 if topic.dlq else 1 for topic in topics.values())
    running.subjects = sum(topic.record is not None for topic in topics.values())


def _ensure_champion(running: Running, say: Callable[[str], None]) -> str:
    url = running.addresses.mlflow_url
    if has_champion(url, MODEL_NAME):
        return "kept from the last time"
    model = first_model(say)
    say("registering in MLflow")
    registered = register_first_model(url, model)
    running.model_version = registered.version
    found = model.scores["exact_span"]["micro"]["f1"]
    return f"{registered.name} version {registered.version}, exact-span F1 {found:.2f} on synthetic notes with unseen names"


def service_names(extractors: int, *, close_loop: bool) -> list[str]:
    """Return the names of the replicas to start; a name is its module, with a number where there are several."""
    several = [f"extractor-{number}" for number in range(1, extractors + 1)]
    return [
        "ingestor",
        *(several if extractors > 1 else ["extractor"]),
        *((ANSWERER, ENRICHER, *LOOP) if close_loop else ()),
    ]


def _start_services(
    running: Running, progress: Progress, names: Sequence[str], service_env: Mapping[str, Mapping[str, str]]
) -> None:
    for name in names:
        progress(name, steps.BUSY, "")
        running.start_service(_module_of(name), name, dict(service_env.get(name, {})))
    for name in names:
        with _step(progress, name) as done:
            service = running.services[name]
            service.wait_ready()
            done(service.health_url)


def _module_of(name: str) -> str:
    return name.rstrip("0123456789").rstrip("-").replace("-", "_")


def _publish_addresses(running: Running) -> None:
    loop = bool(running.addresses.desk_token)
    running.addresses = replace(
        running.addresses,
        ingest_url=_url(running, HTTP_PORT_FILE),
        desk_url=_url(running, DESK_PORT_FILE) if loop else "",
        score_url=_url(running, SCORE_PORT_FILE) if loop else "",
        answer_url=_url(running, ANSWER_PORT_FILE) if loop else "",
        stack_id=_cluster_id(running),
        ledger_url=running.services["ledger"].health_url if loop else "",
        records_dir=running.environment["RXTRACT_RECORDS_DIR"] if loop else "",
        metrics={name: service.metrics_url for name, service in running.services.items()},
    )
    known = running.addresses
    names = (
        "ingest_url",
        "ingest_token",
        "ingest_source",
        "desk_url",
        "desk_token",
        "desk_lead_token",
        "score_url",
        "answer_url",
        "stack_id",
        "ledger_url",
        "records_dir",
        "sealing",
        "key_store_file",
        "key_store_url",
        "master_key_file",
        "pseudonym_key_file",
    )
    extra = {**{name: getattr(known, name) for name in names}, "metrics": known.metrics}
    write_stack_json(running.data_dir / "stack.json", running.stack.addresses, extra)


def _cluster_id(running: Running) -> str:
    """Kafka's own name of its data: another folder, or an ephemeral stack, has another."""
    admin = AdminClient({"bootstrap.servers": running.addresses.bootstrap_servers, "log_level": 0})
    return str(admin.describe_cluster(request_timeout=10).result(10).cluster_id)


def _url(running: Running, port_file: str) -> str:
    return f"http://127.0.0.1:{(running.data_dir / port_file).read_text(encoding='utf-8').strip()}"


@contextlib.contextmanager
def _step(progress: Progress, title: str) -> Iterator[Callable[[str], None]]:
    """Show a step as busy, then as ready with the words that the block gave, or as failed."""
    words: list[str] = [""]
    clock = steps.Stopwatch()
    progress(title, steps.BUSY, "")
    try:
        yield words.append
    except BaseException as error:
        progress(title, steps.FAILED, str(error) or type(error).__name__)
        raise
    progress(title, steps.READY, f"{clock.seconds:.1f} s  {words[-1]}")


def _secrets(folder: Path, token: str, desk: str, lead: str) -> dict[str, str]:
    """Make keys (kept: pseudonyms, samples and roles stay the same in a kept stack) and token files; return their settings."""
    place = folder / "secrets"
    place.mkdir(mode=0o700, exist_ok=True)
    keys = {
        "RXTRACT_PSEUDONYM_KEY_FILE": place / "pseudonym.key",
        "RXTRACT_SAMPLING_KEY_FILE": place / "sampling.key",
        "RXTRACT_ROLES_KEY_FILE": place / "roles.key",
        "RXTRACT_DESK_KEY_FILE": place / "desk.key",
    }
    for key in keys.values():
        if not key.exists():
            _write_secret(key, secrets.token_hex(PSEUDONYM_KEY_BYTES))
    _write_secret(place / "tokens", f"{CLIENT}:{_hashed(token)}\n")
    _write_secret(place / "desk.tokens", f"{CLIENT}:validator:{_hashed(desk)}\n{CLIENT}-lead:lead:{_hashed(lead)}\n")
    files = {
        "RXTRACT_HTTP_TOKENS_FILE": place / "tokens",
        "RXTRACT_DESK_TOKENS_FILE": place / "desk.tokens",
        "RXTRACT_SCORE_TOKENS_FILE": place / "desk.tokens",
        "RXTRACT_SCORE_CLIENT_TOKENS_FILE": place / "tokens",
    }
    return {name: str(path) for name, path in {**keys, **files}.items()}


def _seals() -> bool:
    """Whether the stack shall seal texts."""
    return os.environ.get("RXTRACT_SEALING") == "on"


def _key_store(folder: Path) -> dict[str, str]:
    """Where RXTRACT_SEALING=on: make the key store and its master key, once, and return their settings."""
    if not _seals():
        return {}
    place = folder / "secrets"
    master, url = place / "master.key", os.environ.get("RXTRACT_KEY_STORE_URL")
    store: Place = url or place / "keys.db"
    try:
        # A database is asked for a store only where this folder has no master key yet: a lost one is restored, never made anew.
        if not (master if url else place / "keys.db").exists():
            initialise(store, master)
        elif url:
            open_keys(store, master)
    except RxtractError as error:
        raise StackError(str(error)) from None
    where = {"RXTRACT_KEY_STORE_URL": url} if url else {"RXTRACT_KEY_STORE_FILE": str(store)}
    return {"RXTRACT_SEALING": "on", "RXTRACT_MASTER_KEY_FILE": str(master), **where}


def _tokens(folder: Path) -> list[str]:
    """Of the HTTP door's client, a validator and a lead; kept, so that a page that is open stays logged in."""
    place = folder / "secrets"
    place.mkdir(mode=0o700, exist_ok=True)
    found = []
    for name in ("client", "validator", "lead"):
        path = place / f"{name}.token"
        if not path.exists():
            _write_secret(path, secrets.token_urlsafe(TOKEN_BYTES))
        found.append(path.read_text(encoding="utf-8").strip())
    return found


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _write_secret(path: Path, content: str) -> None:
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")


def links(running: Running) -> Sequence[tuple[str, str]]:
    """Return what a person can open, by name; the desk's link logs in."""
    known = running.addresses
    return [
        *([("Try a note", known.answer_url)] if known.answer_url else []),
        *([("Control page", known.score_url)] if known.score_url else []),
        *([("Review desk", f"{known.desk_url}/login#token={known.desk_token}")] if known.desk_url else []),
        *([("Review desk, lead", f"{known.desk_url}/login#token={known.desk_lead_token}")] if known.desk_url else []),
        ("HTTP door", f"{known.ingest_url}/docs"),
        ("MLflow", runs_page(known.mlflow_url)),
        ("Schema registry", known.schema_registry_url),
        ("Kafka", known.bootstrap_servers),
    ]
