"""Make what nobody should have to make by hand on one machine: keys and tokens, once, each only where it is missing.

Run by docker compose before the services. The tokens of the demo's people stand beside their hashes, to be read by whoever may enter
the containers; a production system gets its secrets from a secret store instead (see the chart's `secretFiles`).
"""  # noqa: INP001

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

KEYS = ("pseudonym.key", "sampling.key", "roles.key", "desk.key")
MASTER = "master.key"
KEY_BYTES = 32
CLIENTS = {
    "http.tokens": {"client": "client"},
    "desk.tokens": {"validator": "validator:validator", "lead": "lead:lead"},
}
"""Each token file with the holder of each token: the file NAME.token, and the beginning of its line."""


def main(folder: Path, store: Path | None = None) -> None:
    """Write what is missing into `folder`, and an empty key store where there is none; a lost one is restored, never made anew."""
    created = [_write(folder / name, secrets.token_hex(KEY_BYTES)) for name in KEYS if not (folder / name).exists()]
    for name, holders in CLIENTS.items():
        if not (folder / name).exists():
            created.append(_write_tokens(folder, name, holders))
    if store is not None and not store.exists():
        created += _make_store(store, folder / MASTER)
    print(f"keys: {len(created)} files made, the others kept")  # noqa: T201 - a command


def _make_store(store: Path, master: Path) -> list[Path]:
    from sealing.rotation import initialise

    if master.exists():
        sys.exit(f"keys: {store} is gone and {master.name} is there: put a backup back with `rxtract keys restore`")
    initialise(store, master)
    return [store, master]


def _write_tokens(folder: Path, name: str, holders: dict[str, str]) -> Path:
    """Write the tokens, then the list of their hashes: where the list is, the tokens are."""
    lines = []
    for holder, beginning in holders.items():
        token = secrets.token_urlsafe(KEY_BYTES)
        _write(folder / f"{name.removesuffix('.tokens')}-{holder}.token", token)
        lines.append(f"{beginning}:{hashlib.sha256(token.encode()).hexdigest()}\n")
    return _write(folder / name, "".join(lines))


def _write(path: Path, content: str) -> Path:
    """Write a file that is whole or not there, for its owner only."""
    draft = path.with_name(f"{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w", encoding="utf-8") as file:
        file.write(content)
    return draft.replace(path)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
