"""Addresses of servers, checked where the environment is parsed: a client that is handed nonsense crashes without a name, or waits for ever."""

from collections.abc import Collection
from urllib.parse import SplitResult, urlsplit

_SCHEMES_WITHOUT_HOST = frozenset({"unix"})


def check_servers(value: str) -> str:
    """A list of host:port, separated by commas; without spaces, as every client takes it.

    Raises:
        ValueError: It is none. The message does not repeat it.
    """
    servers = [one.strip() for one in value.split(",")]
    if not all(_is_server(one) for one in servers):
        raise ValueError("not host:port, or several of them separated by commas")
    return ",".join(servers)


def check_url(value: str, schemes: Collection[str]) -> str:
    """A URL of one of the schemes, with a host and, if it names one, a port that can be; without spaces or line ends, which `urlsplit` drops.

    Raises:
        ValueError: It is none. The message does not repeat it: it may hold a password.
    """
    if not value.startswith(tuple(f"{scheme}://" for scheme in schemes)):
        raise ValueError(f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if _has_space(value):
        raise ValueError("holds a space, tab or line end; in a password it is written %20 and the like")
    parts = _parts(value)
    if parts is None or (parts.scheme not in _SCHEMES_WITHOUT_HOST and (not parts.hostname or parts.port == 0)):
        raise ValueError("no host, or no port from 1 to 65535")
    return value


def _is_server(value: str) -> bool:
    """Whether it is a host and a port; `urlsplit` knows IPv6's brackets."""
    parts = _parts(f"//{value}")
    if parts is None or parts.netloc != value or "@" in value or _has_space(value):
        return False
    return bool(parts.hostname and parts.port)


def _has_space(value: str) -> bool:
    return any(letter.isspace() for letter in value)


def _parts(url: str) -> SplitResult | None:
    """Its parts; None when it is no URL, or its port none: upstream's own error may repeat the value."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError:
        return None
    return parts
