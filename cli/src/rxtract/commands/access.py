"""`rxtract access`: who was shown what of a patient's notes."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from contracts.identity import note_key, split_note_key
from contracts.topics import ACCESS_LOGGED, load_topics, prefixed

from rxtract.addresses import StackAddresses, read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError
from rxtract.highlight import printable
from rxtract.reading import TopicReader

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runtime.service.pseudonyms import Pseudonyms

NAMES_PATIENTS = ("NoteAccepted", "EntitiesExtracted", "ReviewRequested", "AnnotationValidated")


def access(
    patient: Annotated[
        str | None, typer.Option(help="The patient's reference, as it was submitted; - reads it from standard input.")
    ] = None,
    note: Annotated[str | None, typer.Option(help="One note instead: SOURCE|ID.")] = None,
    pseudonym: Annotated[
        bool, typer.Option("--pseudonym", help="PATIENT is the pseudonym instead, as topics show it.")
    ] = False,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    json_: Json = False,
) -> None:
    """List who was shown what of a patient's notes, when and where, from the access log (kept for a year).

    A patient's notes are found in the topics and the records at rest: of a note that has left them all, only --note can be asked.
    """
    if (patient is None) == (note is None):
        raise UserError("give either --patient REF or --note 'SOURCE|ID'")
    addresses = read_addresses(stack)
    names = _pseudonyms(addresses)
    if note is not None:
        notes = {_named(note)}
    else:
        from rxtract.commands.erase import pseudonym_of

        who = str(patient) if pseudonym else pseudonym_of(str(patient), addresses)
        notes = notes_of(addresses, who)
        if not notes:
            raise UserError(
                "no note of this patient is in the topics or the records at rest: ask with --note for one by name"
            )
    found = accesses(addresses, {names.of("note", one): one for one in notes})
    for one in found:
        sys.stdout.write((json.dumps(one) if json_ else _line(one)) + "\n")
    print(f"{len(found):,} accesses to {len(notes):,} notes", file=sys.stderr)


def _named(note: str) -> str:
    try:
        split_note_key(note)
    except ValueError:
        raise UserError("a note is named SOURCE|ID, for example 'clinic-app|N-1'") from None
    return note


def notes_of(addresses: StackAddresses, patient: str) -> set[str]:
    """Return the keys of a patient's notes, by pseudonym."""
    reader = TopicReader(addresses, opens=False)
    there = set(reader.names())
    topics = [
        prefixed(addresses.topic_prefix, name) for name, one in load_topics().items() if one.record in NAMES_PATIENTS
    ]
    records = (seen.record for seen in reader.read([name for name in topics if name in there]))
    return {
        note_key(one.source, one.note_id) for one in records if one is not None and one.patient_ref == patient
    } | _at_rest(addresses, patient)


def _at_rest(addresses: StackAddresses, patient: str) -> set[str]:
    if not addresses.records_dir:
        return set()
    import pyarrow.parquet as pq
    from outcomes.records_at_rest import Manifest

    folder = Path(addresses.records_dir)
    found = set()
    for one in Manifest.read(folder).files:
        try:
            rows = pq.read_table(
                folder / one.path, columns=["source", "note_id"], filters=[("patient_ref", "=", patient)]
            )
        except FileNotFoundError:
            continue  # merged since the manifest was read
        found |= {note_key(row["source"], row["note_id"]) for row in rows.to_pylist()}
    return found


def accesses(addresses: StackAddresses, notes: dict[str, str]) -> list[dict[str, Any]]:
    """Return the accesses to notes, oldest first.

    Args:
        addresses: The stack.
        notes: Their keys by the pseudonym that the log names them with.
    """
    records = (seen.record for seen in TopicReader(addresses).read([prefixed(addresses.topic_prefix, ACCESS_LOGGED)]))
    found = [one for one in records if one is not None and one.note_ref in notes]
    return [
        {
            "at": datetime.fromtimestamp(one.at / 1000, UTC).isoformat(timespec="seconds"),
            "person": one.person,
            "role": one.role,
            "service": one.service,
            "action": str(one.action),
            "note": notes[one.note_ref],
            "seen": _names(one.seen),
        }
        for one in sorted({one.access_id: one for one in found}.values(), key=lambda one: (one.at, one.access_id))
    ]


def _names(seen: Iterable[object]) -> list[str]:
    return [str(one) for one in seen]


def _line(one: dict[str, Any]) -> str:
    return printable(
        f"{one['at']}  {one['person']} ({one['role']})  {one['service']} {one['action']}  {one['note']}  {' '.join(one['seen'])}"
    )


def _pseudonyms(addresses: StackAddresses) -> Pseudonyms:
    from runtime.errors import SettingsError
    from runtime.service.pseudonyms import MIN_KEY_BYTES, Pseudonyms
    from runtime.service.secret_files import read_key

    if not addresses.pseudonym_key_file:
        raise UserError("set RXTRACT_PSEUDONYM_KEY_FILE to the ingestor's key: the access log names notes by it")
    try:
        return Pseudonyms(read_key(Path(addresses.pseudonym_key_file), "RXTRACT_PSEUDONYM_KEY_FILE", MIN_KEY_BYTES))
    except SettingsError as error:
        raise UserError(str(error)) from None
