"""Where each source is told, and how its deliveries are signed: read from one JSON file, every slip with the way out."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from contracts.identity import SOURCE_SYNTAX, is_source
from contracts.records import Origin

SECRET_BEGIN = "whsec_"  # noqa: S105 - no secret: what each begins with
LEAST_SECRET_BYTES, MOST_SECRET_BYTES = 24, 64
MOST_SECRETS = 3
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FIELDS = frozenset({"url", "secrets", "since", "origins"})


class EndpointError(ValueError):
    """The file cannot be used. The message says where and what to do, and never repeats a secret."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One receiver.

    Attributes:
        url: Where outcomes are posted; https, or http on this machine.
        secrets: Of 24 to 64 bytes each; a delivery is signed with every one, so that they can be exchanged.
        since_ms: Outcomes from before are not told, UTC milliseconds.
        origins: Of the notes that are told of; empty: all.
    """

    url: str
    secrets: tuple[bytes, ...]
    since_ms: int = 0
    origins: frozenset[Origin] = frozenset()

    def __repr__(self) -> str:
        """Neither secrets nor the path, which some services use as one."""
        return f"Endpoint({urlsplit(self.url).hostname})"


def read_endpoints(text: str) -> dict[str, Endpoint]:
    """Read the file: one object, endpoints by source.

    Raises:
        EndpointError: It is not that.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise EndpointError("is no JSON: write one object with an endpoint by source") from None
    if not isinstance(found, dict):
        raise EndpointError("is no JSON object: write an endpoint by source")
    return {source: _endpoint(source, fields) for source, fields in found.items()}


def _endpoint(source: str, fields: object) -> Endpoint:
    if not is_source(source):
        raise EndpointError(f"names something that is no source: it is {SOURCE_SYNTAX}")
    if not isinstance(fields, dict):
        raise EndpointError(f"{source}: is no object with url and secrets")
    if unknown := sorted(set(fields) - _FIELDS):
        raise EndpointError(f"{source}: has an unknown field {unknown[0]!r}: it knows {', '.join(sorted(_FIELDS))}")
    return Endpoint(_url(source, fields), _secrets(source, fields), _since(source, fields), _origins(source, fields))


def _url(source: str, fields: Mapping[str, Any]) -> str:
    url = fields.get("url")
    try:
        parts = urlsplit(url) if isinstance(url, str) else None
        usable = parts is not None and bool(parts.hostname) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts is None:
        raise EndpointError(f"{source}: url is no address: give https://HOST/PATH")
    if parts.username or parts.password or parts.fragment:
        raise EndpointError(f"{source}: url holds a login or a fragment: the signature says who we are")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise EndpointError(f"{source}: url is http: outcomes are health data, give https (http on this machine alone)")
    return str(url)


def _secrets(source: str, fields: Mapping[str, Any]) -> tuple[bytes, ...]:
    given = fields.get("secrets")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_SECRETS:
        raise EndpointError(f"{source}: secrets is no list of 1 to {MOST_SECRETS}: the newest first")
    return tuple(_secret(source, one) for one in given)


def _secret(source: str, given: object) -> bytes:
    remedy = f"make one with `python -m notifier.new_secret`: {SECRET_BEGIN} and base64 of {LEAST_SECRET_BYTES} to {MOST_SECRET_BYTES} bytes"
    if not isinstance(given, str) or not given.startswith(SECRET_BEGIN):
        raise EndpointError(f"{source}: a secret does not begin with {SECRET_BEGIN}: {remedy}")
    try:
        secret = base64.b64decode(given.removeprefix(SECRET_BEGIN), validate=True)
    except (binascii.Error, ValueError):
        raise EndpointError(f"{source}: a secret is no base64: {remedy}") from None
    if not LEAST_SECRET_BYTES <= len(secret) <= MOST_SECRET_BYTES:
        raise EndpointError(f"{source}: a secret has {len(secret)} bytes: {remedy}")
    return secret


def _since(source: str, fields: Mapping[str, Any]) -> int:
    given = fields.get("since")
    if given is None:
        return 0
    try:
        moment = datetime.fromisoformat(given)
    except (TypeError, ValueError):
        raise EndpointError(f"{source}: since is no time: write it like 2026-12-01T00:00:00Z") from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _origins(source: str, fields: Mapping[str, Any]) -> frozenset[Origin]:
    given = fields.get("origins", [])
    if not isinstance(given, list) or not all(one in Origin.__members__ for one in given):
        raise EndpointError(f"{source}: origins is no list of {', '.join(Origin.__members__)}")
    return frozenset(Origin(one) for one in given)
