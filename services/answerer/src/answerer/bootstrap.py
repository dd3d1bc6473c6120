"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from contracts.registry import ConfluentRegistry, Registry
from contracts.rules import NoteLimits
from fastapi import FastAPI
from runtime.errors import SettingsError
from runtime.kafka.consumer_errors import ConsumerErrors
from runtime.service.health import Readiness
from runtime.service.metrics import Metrics
from runtime.service.waiting import CONTRACT_READ
from runtime.web.client_door import Allowance
from runtime.web.client_tokens import Tokens, parse_tokens
from runtime.web.door import Address, DoorShell
from runtime.web.server import HTTP
from serving.champion import MODEL_LOADED, event_reader, followers, make_keeper, make_rules_keeper, open_tables
from serving.models import Keeper, ModelKeeper, Models, NoModelError, OpenedTagger, RulesKeeper, Serving

from answerer.answers import Answers
from answerer.http.app import ExtractApi, make_app
from answerer.metrics import METRICS
from answerer.page.pages import Pages
from answerer.settings import AnswererSettings

_HERE = frozenset({"127.0.0.1", "::1", "localhost"})
_LOOK_S = 1.0


@dataclass(slots=True, kw_only=True)
class Shared(DoorShell[AnswererSettings]):
    """What the door and the model's threads hold."""

    tokens: Tokens | None
    keeper: ModelKeeper
    rules: RulesKeeper

    def info(self) -> Mapping[str, Any]:
        """Which model answers, and whether a token is asked for."""
        served = self.keeper.served
        model = None if served is None else {"name": served.ref.name, "version": served.ref.version}
        serial = None if served is None else served.ref.serial
        return {"model": model, "serial": serial, "open": self.settings.http_open}


def share(
    settings: AnswererSettings,
    *,
    models: Models | None = None,
    opener: Callable[[bytes, str], OpenedTagger] = open_tables,
    rules: Models | None = None,
) -> Shared:
    """Make what both hold.

    Raises:
        SettingsError: The tokens are not usable, or the door would be open to others than this machine.
    """
    if settings.http_open and settings.http_host not in _HERE:
        raise SettingsError(
            f"RXTRACT_HTTP_OPEN is true and RXTRACT_HTTP_HOST is {settings.http_host}: without a token only 127.0.0.1 is served"
        )
    metrics = Metrics(METRICS)
    tokens = None
    if not settings.http_open:
        fixed = parse_tokens(settings.http_tokens, "RXTRACT_HTTP_TOKENS")
        tokens = Tokens(fixed, settings.http_tokens_file, metrics)
    metrics.build_all()
    keeper = make_keeper(settings, metrics, models, opener)
    return Shared(
        settings=settings,
        metrics=metrics,
        readiness=Readiness(CONTRACT_READ, MODEL_LOADED, HTTP),
        tokens=tokens,
        keeper=keeper,
        rules=make_rules_keeper(settings, metrics, keeper, rules),
    )


def load_first(shared: Shared) -> None:
    """Load the champion and the released rules.

    Raises:
        NoModelError: One of them is not to be had now.
    """
    shared.keeper.load_first()
    shared.rules.load_first()


def keep_champion(shared: Shared, registry: Registry | None = None) -> None:
    """Load the champion, and follow it until stopped.

    Raises:
        ReadingBroken: What tells of promotions could not be read for too long.
    """
    settings = shared.settings
    chosen = registry or ConfluentRegistry(settings.schema_registry_url)
    # The model first: it answers although the registry is away.
    shared.until(partial(load_first, shared), MODEL_LOADED, settings.model_retry_s, waits_for=(NoModelError,))
    read = shared.until(lambda: event_reader(chosen, settings), CONTRACT_READ)
    if read is None:
        return
    errors = ConsumerErrors(shared.metrics, shared.readiness, settings.fault_limit_s)
    kept: dict[str, Keeper[Any]] = {settings.model_name: shared.keeper, settings.rules_name: shared.rules}
    parts = followers(settings, kept, read, shared.metrics, errors=errors)
    for part in parts:
        part.start()
    try:
        while not shared.stop.wait(_LOOK_S):
            shared.liveness.tick()
            errors.check()
    finally:
        for part in parts:
            part.stop()


def http_door(shared: Shared) -> FastAPI:
    """The HTTP application."""
    settings = shared.settings
    rules = NoteLimits(max_note_chars=settings.max_note_chars, max_note_tokens=settings.max_note_tokens)
    api = ExtractApi(
        Answers(
            Serving(shared.keeper.current, shared.rules.current).current, rules, settings.tag_attempts, shared.metrics
        ),
        shared.tokens,
        shared.metrics,
        allowance=Allowance.of(settings, shared.metrics),
        max_body_bytes=settings.http_max_body_bytes,
        max_notes=settings.http_max_notes,
        retry_after_s=settings.http_retry_after_s,
    )
    return make_app(api, Pages(is_open=settings.http_open), settings.http_max_notes)


def serve(settings: AnswererSettings) -> None:
    """Serve the door until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The tokens, the address or the port is not usable.
        ReadingBroken: What tells of promotions could not be read for too long.
    """
    shared = share(settings)
    shared.serve(
        Address(settings.http_host, settings.http_port, "RXTRACT_HTTP_PORT", settings.http_port_file, 1024, 1_000),
        ("champion", lambda: keep_champion(shared)),
        lambda: http_door(shared),
        h11_max_incomplete_event_size=65_536,
    )
