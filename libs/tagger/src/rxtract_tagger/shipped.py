"""Where the shipped model is: in the wheel, or, in a checkout, where the command line keeps its own."""

from __future__ import annotations

from importlib import metadata, resources
from pathlib import Path

from clinical_ner.tracking_download import ModelUnavailable

GROUP = "rxtract.shipped_model"
"""Entry points: a function without arguments that returns the folder of a model."""


def shipped_model() -> Path:
    """Return where the shipped model lies: the tables that came in the wheel, or the folder that an entry point names.

    Raises:
        ModelUnavailable: This installation has none.
    """
    packed = Path(str(resources.files("rxtract_tagger"))) / "_model/tables.npz"
    if packed.is_file():
        return packed
    for found in metadata.entry_points(group=GROUP):
        return Path(found.load()())
    raise ModelUnavailable(
        "no model came with this installation: give a folder or models:/NAME@ALIAS, or install the wheels of `make wheels`"
    )
