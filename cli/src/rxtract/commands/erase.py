"""`rxtract erase`: a patient's texts, everywhere."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rxtract.addresses import read_addresses
from rxtract.annotations import Json
from rxtract.errors import UserError

if TYPE_CHECKING:
    from rxtract.addresses import StackAddresses


def erase(
    patient: Annotated[
        str, typer.Option(help="The patient's reference, as it was submitted; - reads it from standard input.")
    ],
    pseudonym: Annotated[
        bool, typer.Option("--pseudonym", help="PATIENT is the pseudonym instead, as topics show it.")
    ] = False,
    certificate: Annotated[
        Path | None,
        typer.Option(help="Where to write what was done, as JSON; needed where the key store is a database."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read all topics and count what still shows a text of the patient.")
    ] = False,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Order a training when a model may have learnt from the patient.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=5, help="Seconds for everything together.")] = 55.0,
    stack: Annotated[Path | None, typer.Option(help="stack.json of a running stack, or its folder.")] = None,
    json_: Json = False,
) -> None:
    """Destroy a patient's keys, so that no topic, dead letter, cache or copy gives a text; then clear what lies beside the topics.

    It needs sealing to be on: texts from before it was are kept until their topics' retention, and --verify counts them. Twice
    is once: the second time does what was left. A new note of the patient later begins with a new key.
    """
    from runtime.errors import RxtractError
    from sealing import open_store

    from rxtract.erasing import Erasing
    from rxtract.sealed import place_of

    addresses = read_addresses(stack)
    place = place_of(addresses)
    if place is None:
        raise UserError(
            "no key store is named (RXTRACT_KEY_STORE_FILE or RXTRACT_KEY_STORE_URL), so nothing is sealed and nothing can be erased: texts lie in topics until their retention"
        )
    if isinstance(place, str) and certificate is None:
        raise UserError(
            "give --certificate FILE and keep it: with the key store in a database it is what repeats this erasure when a backup of the database is put back"
        )
    who = patient if pseudonym else pseudonym_of(patient, addresses)
    try:
        erasing = Erasing(
            addresses,
            open_store(place),
            timeout,
            os.environ.get("RXTRACT_GROUP_PREFIX", ""),
        )
        done = erasing.erase(who, verify=verify, say=lambda words: print(words, file=sys.stderr))
    except RxtractError as error:
        raise UserError(str(error)) from None
    if certificate is not None:
        certificate.write_text(json.dumps(done.as_object(), indent=1) + "\n", encoding="utf-8")
    if retrain and done.models_marked:
        order(addresses)
    if json_:
        sys.stdout.write(json.dumps(done.as_object()) + "\n")
    else:
        print(f"erased in {done.seconds} s: {done.keys_destroyed} keys destroyed, {_rows(done.rows_at_rest)}")
    if done.in_clear:
        raise UserError(
            "records of before sealing was on still show a text, until their topics' retention: "
            + ", ".join(f"{name} {count:,}" for name, count in done.in_clear.items())
        )


def pseudonym_of(patient: str, addresses: StackAddresses) -> str:
    """Return the pseudonym of a reference in clear.

    Raises:
        UserError: The key is not named, or the reference cannot be one.
    """
    from runtime.errors import SettingsError
    from runtime.service.pseudonyms import MIN_KEY_BYTES, Pseudonyms
    from runtime.service.secret_files import read_key

    reference = sys.stdin.readline().strip() if patient == "-" else patient
    if not reference:
        raise UserError("the patient's reference is empty")
    if not addresses.pseudonym_key_file:
        raise UserError("set RXTRACT_PSEUDONYM_KEY_FILE to the ingestor's key, or give the pseudonym with --pseudonym")
    try:
        key = read_key(Path(addresses.pseudonym_key_file), "RXTRACT_PSEUDONYM_KEY_FILE", MIN_KEY_BYTES)
        return Pseudonyms(key).of("patient", reference)
    except SettingsError as error:
        raise UserError(str(error)) from None
    except UnicodeEncodeError:
        raise UserError("the patient's reference is no valid text") from None


def order(addresses: StackAddresses) -> None:
    """Order a training."""
    from contracts.records import ModelAction

    from rxtract.models.orders import new_command, publish

    publish(addresses, new_command(ModelAction.RETRAIN, "rxtract-ner", "rxtract erase"))
    print("a training is ordered", file=sys.stderr)


def _rows(left: int | None) -> str:
    return (
        "records at rest not looked at (no RXTRACT_RECORDS_DIR)"
        if left is None
        else "no row left in the records at rest"
    )
