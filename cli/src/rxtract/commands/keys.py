"""`rxtract keys`: the key store that seals texts of patients, and its master key."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealing import Place

app = typer.Typer(
    name="keys",
    help="Keys that seal texts of patients: make, back up, restore, change the master key.",
    no_args_is_help=True,
)
Store = Annotated[
    Path | None,
    typer.Option(
        help="The key store's file; RXTRACT_KEY_STORE_FILE, or the database of RXTRACT_KEY_STORE_URL, when left out."
    ),
]
Master = Annotated[Path | None, typer.Option(help="The master key's file; RXTRACT_MASTER_KEY_FILE when left out.")]
Stack = Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")]


@app.callback()
def _group() -> None:
    """Keys that seal texts of patients: make, back up, restore, change the master key."""


@app.command()
def init(store: Store = None, master: Master = None, stack: Stack = None) -> None:
    """Make an empty key store, and a master key where there is none. Keep both secret, and never in one backup."""
    from sealing.rotation import initialise

    files = _files(store, master, stack)
    with _refusals():
        initialise(*files)
    print(f"made {_name(files[0])}; its master key is the first line of {files[1].name}")


@app.command()
def status(store: Store = None, master: Master = None, stack: Stack = None, json_: Json = False) -> None:
    """Say how many keys there are, how many were destroyed, and whether the master key opens them."""
    from sealing import MasterKeys, PatientKeys, open_store

    files = _files(store, master, stack)
    with _refusals():
        kept, masters = open_store(files[0]), MasterKeys(files[1])
        PatientKeys(kept, masters)
        live, destroyed = kept.counts()
        erasures = kept.erasures()
        old = sum(count for name, count in kept.wrapped_by().items() if name != kept.master())
    found = {
        "store": kept.store_id(),
        "master": kept.master(),
        "keys": live,
        "destroyed": destroyed,
        "erasures": len(erasures),
        "under_older_masters": old,
    }
    if json_:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    print(f"key store {found['store']}: {live:,} keys, {destroyed:,} destroyed by {len(erasures):,} erasures")
    print(
        f"master key {found['master']}: {'opens them' if not old else f'{old:,} keys are under an older one: rotate again'}"
    )


@app.command()
def rotate(
    store: Store = None,
    master: Master = None,
    stack: Stack = None,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare", help="Only put a new key into the file, to reach services that read a copy of it first."
        ),
    ] = False,
) -> None:
    """Change the master key while services run. No text is encrypted anew; running it again is harmless."""
    from sealing.rotation import prepare as put_first
    from sealing.rotation import rotate as change

    files = _files(store, master, stack)
    with _refusals():
        if prepare:
            name = put_first(*files)
            print(
                f"{files[1].name} holds the new master key {name} before the old one: give it to every service, then rotate"
            )
            return
        count = change(*files)
    print(f"{count:,} keys are under a new master key; make a backup of both files, apart from each other, now")


@app.command()
def backup(
    to: Annotated[Path, typer.Argument(help="The file to write; never one that is there.")],
    store: Store = None,
    stack: Stack = None,
) -> None:
    """Copy the key store while services run. Backups must expire sooner than an erasure is promised to hold."""
    from sealing.rotation import back_up

    with _refusals():
        back_up(_store(store, stack), to)
    print(f"{to.name} holds the key store; the master key is not in it")


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="A file of `rxtract keys backup`.")],
    certificates: Annotated[
        list[Path] | None, typer.Argument(help="Certificates of `rxtract erase` since then.", show_default=False)
    ] = None,
    store: Store = None,
    master: Master = None,
    stack: Stack = None,
) -> None:
    """Put a backup back. Erasures since then are done again, so that nobody who was erased comes back."""
    from sealing.rotation import restore as put_back

    with _refusals():
        again = put_back(*_files(store, master, stack), backup, certificates or [])
    print(
        f"restored; {again:,} erasures since the backup were done again; keys made since it are lost, and their notes with them"
    )


def _store(store: Path | None, stack: Path | None) -> Place:
    from rxtract.sealed import place_of

    found = store or place_of(read_addresses(stack))
    if found is None:
        raise UserError(
            "no key store is named: set RXTRACT_KEY_STORE_FILE or RXTRACT_KEY_STORE_URL, or give --store FILE"
        )
    return found


def _name(place: Place) -> str:
    return place.name if isinstance(place, Path) else "a key store in the database"


def _files(store: Path | None, master: Path | None, stack: Path | None) -> tuple[Place, Path]:
    key = master or read_addresses(stack).master_key_file
    if not key:
        raise UserError("no master key is named: set RXTRACT_MASTER_KEY_FILE or give --master FILE")
    return _store(store, stack), Path(key)


@contextmanager
def _refusals() -> Iterator[None]:
    from runtime.errors import RxtractError

    try:
        yield
    except RxtractError as error:
        raise UserError(str(error)) from None
