"""The only place that constructs clients. Every outside thing is a parameter, with the real one as default."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from contracts.registry import ConfluentRegistry, Registry
from contracts.rules import Rules
from fastapi import FastAPI
from runtime.client_door import Allowance
from runtime.client_tokens import Tokens, parse_tokens
from runtime.consumer_errors import ConsumerErrors
from runtime.errors import SettingsError
from runtime.health import AllAlive, HealthServer, Liveness, Readiness
from runtime.http_server import HTTP
from runtime.metrics import Metrics
from runtime.waiting import CONTRACT_READ, CONTRACT_RETRY_S, until_made
from serving.champion import MODEL_LOADED, event_reader, followers, make_keeper, make_rules_keeper, open_tables
from serving.models import Keeper, ModelKeeper, Models, NoModelError, OpenedTagger, RulesKeeper, Serving

from answerer.handler import Answers
from answerer.http.app import ExtractApi, make_app
from answerer.metrics import METRICS
from answerer.page.pages import Pages
from answerer.settings import AnswererSettings

_HERE = frozenset({"127.0.0.1", "::1", "localhost"})
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What the door and the model's threads hold, and what the outside sees of us."""

    settings: AnswererSettings
    tokens: Tokens | None
    keeper: ModelKeeper
    rules: RulesKeeper
    metrics: Metrics
    liveness: Liveness
    http_liveness: Liveness
    readiness: Readiness
    stop: threading.Event


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
    readiness = Readiness(CONTRACT_READ, MODEL_LOADED, HTTP)
    kept = make_rules_keeper(settings, metrics, keeper, rules)
    return Shared(settings, tokens, keeper, kept, metrics, Liveness(), Liveness(), readiness, threading.Event())


def health_server(shared: Shared) -> HealthServer:
    """The server of /live, /ready, /metrics and /info."""
    return HealthServer.of(
        shared.settings,
        liveness=AllAlive(shared.liveness, shared.http_liveness),
        readiness=shared.readiness,
        metrics=shared.metrics,
        info=lambda: info(shared),
    )


def info(shared: Shared) -> dict[str, object]:
    """What `/info` says."""
    served = shared.keeper.served
    model = None if served is None else {"name": served.ref.name, "version": served.ref.version}
    serial = None if served is None else served.ref.serial
    return {"service": shared.settings.service, "model": model, "serial": serial, "open": shared.settings.http_open}


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
    wait = partial(until_made, stop=shared.stop, liveness=shared.liveness, readiness=shared.readiness)
    # The model first: it answers although the registry is away.
    wait(partial(load_first, shared), MODEL_LOADED, settings.model_retry_s, waits_for=(NoModelError,))
    read = wait(lambda: event_reader(chosen, settings), CONTRACT_READ, CONTRACT_RETRY_S)
    if read is None:
        return
    errors = ConsumerErrors(shared.metrics, shared.readiness, settings.fault_limit_s)
    kept: dict[str, Keeper[Any]] = {settings.model_name: shared.keeper, settings.rules_name: shared.rules}
    parts = followers(settings, kept, read, shared.metrics, errors)
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
    rules = Rules(max_note_chars=settings.max_note_chars, max_note_tokens=settings.max_note_tokens)
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
