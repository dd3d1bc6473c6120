"""The shipped model, or another, on texts that nobody here wrote; all files are given, none is part of the project.

    python benchmarks/other_texts.py --sentences F --labels F [--unlabelled F.txt.gz] [--model FOLDER] [--audit 200]

Prints exact and overlap scores on the annotated notes, the share of investigations among what is called a treatment and of
headings among all entities on either file, how many notes are named as unlike what confidences were measured on, and the
calibration error before and after recalibration on `--audit` notes, judged on the others.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clinical_ner.notes import AnnotatedNote
    from clinical_ner.tagger import TaggedNote, Tagger

MOST_UNLABELLED = 8_000
INVESTIGATION = re.compile(
    r"\b(?:MRI|CT|CECT|HRCT|PET|USG|ECG|EKG|EEG|EMG|MRCP|ERCP|CBC|LFT|KFT|ESR|CRP|TSH|LVEF|HbA1c|FNAC|CXR|TTE|TEE|PCR)\b"
    r"|biops|scop(?:y|ies)\b|graphy\b|grams?\b|x-?rays?\b|ultraso|imaging|tomogra|doppler|\bscans?\b|screening"
    r"|\btest(?:s|ing)?\b|cytolog|histolog|cultures?\b|serolog|immunohisto|staining|assay|spirometr|autops|ejection fraction",
    re.IGNORECASE,
)
HEADING = re.compile(
    r"(?:past |family |social |final |provisional |discharge |chief |hospital |physical )*(?:history|plan|o/e|diagnos[ie]s|"
    r"impression|assessment|findings?|investigations?|advice|medications?|treatment|course|complaints?|examination|results?|"
    r"conclusions?|methods?|background|objectives?|indications?|procedure|allergies|vitals|labs|summary)\s*[:\-]?",
    re.IGNORECASE,
)


def main() -> None:
    """Print one JSON object."""
    options = _options().parse_args()
    print(json.dumps(run(options), indent=2))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=Path, required=True)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--unlabelled", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--audit", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Return every figure that the given files allow."""
    from clinical_ner.artifact import load
    from clinical_ner.tagger import Tagger
    from rxtract.annotations import read_annotations
    from rxtract.first_model import first_model_folder

    tables = ((options.model or first_model_folder()) / "tables.npz").read_bytes()
    tagger = Tagger(load(tables))
    notes = list(read_annotations(options.sentences, options.labels, None, None).notes)
    found: dict[str, Any] = {"notes": len(notes)} | scores(tagger, notes)
    found["annotated"] = shares(tagger, [note.text for note in notes])
    if options.unlabelled:
        found["unlabelled"] = shares(tagger, sentences(options.unlabelled, options.seed))
    random.Random(options.seed).shuffle(notes)
    return found | {"recalibrated": recalibration(tables, notes[: options.audit], notes[options.audit :])}


def scores(tagger: Tagger, notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """Exact and overlap precision, recall and F1."""
    from clinical_ner.evaluate import score

    judged = score(notes, tagger.tag([note.text for note in notes]))
    return {key: judged[key] for key in ("exact_span", "overlap")}


def sentences(path: Path, seed: int) -> list[str]:
    """A sample of the sentences of a text file, packed or not."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    kept = [line.strip() for line in content.decode("utf-8").splitlines() if line.strip()]
    random.Random(seed).shuffle(kept)
    return list(islice(kept, MOST_UNLABELLED))


def shares(tagger: Tagger, texts: Sequence[str]) -> dict[str, Any]:
    """What is found in texts, and the share of what must not be found."""
    tagged = tagger.tag(texts)
    names = [
        (str(entity.label), text[entity.start : entity.end])
        for text, note in zip(texts, tagged, strict=True)
        for entity in note.entities
    ]
    treatments = [name for label, name in names if label == "TREATMENT"]
    investigations = sum(bool(INVESTIGATION.search(name)) for name in treatments)
    headings = sum(bool(HEADING.fullmatch(name.strip())) for _, name in names)
    return {
        "texts": len(texts),
        "entities": len(names),
        "investigations_among_treatments": _share(investigations, len(treatments)),
        "headings_among_entities": _share(headings, len(names)),
        "named_as_unlike": _share(_unlike(tagger, tagged), len(texts)),
    }


def _unlike(tagger: Tagger, tagged: Sequence[TaggedNote]) -> int:
    from clinical_ner.kinds import kind_in

    kind = kind_in(tagger.metadata)
    return sum(kind.unlike(note.statistics) for note in tagged) if kind else 0


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def recalibration(tables: bytes, audit: Sequence[AnnotatedNote], rest: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """Calibration error on `rest` before and after recalibration on `audit`."""
    from clinical_ner.recalibration import recalibrate

    made = recalibrate(tables, audit, "the audited notes")
    ways = {what: row["method"] for what, row in made.report.items()}
    return {"audit": len(audit), "before": _error(tables, rest), "after": _error(made.tables, rest), "ways": ways}


def _error(tables: bytes, notes: Sequence[AnnotatedNote]) -> float:
    from clinical_ner.evaluate import score
    from clinical_ner.tagger import Tagger

    judged = score(notes, Tagger.open(tables).tag([note.text for note in notes]))
    return round(float(judged["calibration"]["ece"]), 4)


if __name__ == "__main__":
    main()
