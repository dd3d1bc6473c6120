"""`rxtract reextract`: kept history through the new model, or the new rules."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from model_registry.version import Version
from rich.console import Console

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError
from rxtract.mlflow_server import Stack, TrackingUri, need_mlflow
from rxtract.models.versions import Versions
from rxtract.moments import moment
from rxtract.reextract import Plan, Reextraction, Sent
from rxtract.signals import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN_INTERVAL_S = 2.0
LOOK_EVERY_S = 5.0


def reextract(
    since: Annotated[str, typer.Option(help="Notes accepted since then: ISO 8601, or UTC milliseconds (13 digits).")],
    model: Annotated[str | None, typer.Option(help="Only if this version is champion.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Notes a second at most.")] = 500.0,
    max_lag: Annotated[
        int, typer.Option(min=0, help="Hold back while more notes than this wait for the extractors.")
    ] = 500,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew, even when an earlier run for this champion went further.")
    ] = False,
    name: Annotated[str, typer.Option("--name", help="The registered model.")] = "rxtract-ner",
    rules_name: Annotated[
        str, typer.Option("--rules-name", envvar="RXTRACT_RULES_NAME", help="The registered model of the rules.")
    ] = "rxtract-rules",
    tracking_uri: TrackingUri = "",
    stack: Stack = None,
    json_: Json = False,
) -> None:
    """Process stored notes (7 days) again with the live model and rules, with origin REEXTRACT, after the live notes.

    They count in no live figure. A run that was stopped goes on where it was when the same --since is given, and begins anew when
    another champion or other rules serve since. A run ends when another champion or other rules come.
    """
    since_ms = moment(since)
    address = need_mlflow(tracking_uri, stack)
    versions, releases = Versions(address, name), Versions(address, rules_name)
    champion = _champion(versions, name, model)
    rules = serving_rules(releases)
    check = SameChampion(versions.serving, champion, rules=lambda: serving_rules(releases), read_by=rules)
    plan = Plan(since_ms, champion.serial, rate, max_lag, again, rules)
    prefix = os.environ.get("RXTRACT_GROUP_PREFIX", "")
    run = Reextraction(read_addresses(stack), plan, group_prefix=prefix, check=check)
    console = Console(stderr=json_, highlight=False, soft_wrap=True)
    try:
        sent = run.run(_Lines(console))
        check.look()
    except KeyboardInterrupt:
        console.print("stopped; run the same command again to go on")
        raise typer.Exit(INTERRUPTED) from None
    if json_:
        print(json.dumps({**asdict(sent), "held_s": round(sent.held_s, 1)}))
        return
    console.print(_line(sent))
    console.print(outcome(sent, champion))


def _champion(versions: Versions, name: str, model: str | None) -> Version:
    """Return the version that serves.

    Raises:
        UserError: there is none, or it is not the one that was named.
    """
    if model is not None:
        versions.need(model)
    champion = versions.serving()
    if champion is None and model is None:
        raise UserError(f"{name} has no champion: there is no model to send notes through")
    if champion is None or model not in (None, champion.version):
        raise _does_not_serve(model, None if champion is None else champion.version)
    return champion


def _does_not_serve(model: str | None, champion: str | None) -> UserError:
    return UserError(
        f"version {model} does not serve, the champion is {champion or 'nobody'}: `rxtract model promote {model}` first"
    )


class SameChampion:
    """Ends a run when another champion comes, or the same one under another serial: what was promised would not hold.

    Args:
        serving: Asks MLflow who serves.
        champion: Who served when the run began.
        clock: Monotonic seconds.
        rules: Asks for the serial of the rules that serve.
        read_by: The serial of those that served when the run began.
    """

    def __init__(
        self,
        serving: Callable[[], Version | None],
        champion: Version,
        clock: Callable[[], float] = time.monotonic,
        rules: Callable[[], int] = int,
        read_by: int = 0,
    ) -> None:
        self._rules = rules
        self._read_by = read_by
        self._serving = serving
        self._champion = champion
        self._clock = clock
        self._asked_s = clock()

    def __call__(self) -> None:
        """Look now and then, however often it is called.

        Raises:
            UserError: another one serves.
        """
        if self._clock() - self._asked_s >= LOOK_EVERY_S:
            self.look()

    def look(self) -> None:
        """Look now.

        Raises:
            UserError: another one serves.
        """
        self._asked_s = self._clock()
        now, then = self._serving(), self._champion
        if now is None:
            raise UserError(f"version {then.version} is champion no more, nobody is: `rxtract model promote` first")
        if (now.version, now.serial) != (then.version, then.serial):
            raise UserError(
                f"version {now.version} serves now under serial {now.serial}, not version {then.version} under "
                f"{then.serial}: run the same command again, it sends all of them through that one"
            )
        if (rules := self._rules()) != self._read_by:
            raise UserError(
                f"the rules of serial {rules} serve now, not those of {self._read_by}: run the same command again, it "
                "sends all of them through these"
            )


def serving_rules(releases: Versions) -> int:
    """Return the serial of the rules that serve; 0 where none were released."""
    found = next((row for row in releases.all_or_none() if row.serves), None)
    return 0 if found is None else found.serial


def outcome(sent: Sent, champion: Version) -> str:
    """Return what came of a run, in one sentence."""
    if sent.sent:
        return f"their entities come with version {champion.version} and serial {champion.serial}: the highest serial counts"
    if sent.earlier:
        return f"nothing new: an earlier run for version {champion.version} sent them; --again sends them once more"
    if sent.total:
        return "nothing to send: what is kept from that time on are copies that earlier runs sent, or cannot be read"
    return "nothing to send: no note is kept from that time on"


class _Lines:
    """A plain line every two seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed_s = time.monotonic()

    def __call__(self, sent: Sent) -> None:
        if time.monotonic() - self._printed_s >= PLAIN_INTERVAL_S:
            self._printed_s = time.monotonic()
            self._console.print(_line(sent))


def _line(sent: Sent) -> str:
    parts = [f"{sent.earlier:,} records read by an earlier run"] if sent.earlier else []
    parts.append(f"{sent.read:,} of {sent.total:,} kept records read, {sent.sent:,} notes sent again")
    if sent.copies:
        parts.append(f"{sent.copies:,} copies of earlier runs left out")
    if sent.unreadable:
        parts.append(f"{sent.unreadable:,} unreadable")
    if sent.held_s >= 1:
        parts.append(f"held back {sent.held_s:.0f} s for live notes")
    return ", ".join(parts)
