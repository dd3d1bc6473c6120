"""`make fhir-profiles [PROFILES=DIR] [NOTES=500]`: HAPI's validator over documents of generated notes.

Without a folder it judges base R4, all three profiles. With one (ABDM's package from NRCeS, unpacked: StructureDefinition-*.json and
ValueSet-*.json) it judges ABDM's two records by it, with the code systems of the version that its package.json names, and also that
what ABDM alone forbids is rejected. What is not in the folder is named, as not checked.
"""

import argparse
import json
import re
import sys
from collections import Counter
from pathlib import Path

from rxtract_fhir import PROFILES, Guide, coded, document, guide_named
from terminology import Coder

from tests.fhir import generated, hapi
from tests.fhir.bad import BAD, good
from tests.fhir.kinds import every_meaning, every_prescription

UNCHECKED = re.compile(r"Profile reference '(\S+)' has not been checked")


def main() -> int:
    """Judge, print, and return how it ended."""
    read = argparse.ArgumentParser(prog="make fhir-profiles")
    read.add_argument("--profiles", type=Path)
    read.add_argument("--notes", type=int, default=500)
    asked = read.parse_args()
    guide = Guide.NOW if asked.profiles is None else _version(asked.profiles)
    names = [one.name for one in PROFILES.values() if one.record or asked.profiles is None]
    bundles = _documents(asked.notes, names, guide)
    spoilt = _spoilt() if asked.profiles else {}
    judged = hapi.judge([*bundles, *spoilt.values()], asked.profiles)
    good_ones, bad_ones = judged[: len(bundles)], judged[len(bundles) :]
    found = Counter(re.sub(r"/\*[^*]*\*/|\[\d+\]", "", line) for one in good_ones for line in hapi.errors(one))
    for line, times in found.most_common(20):
        print(f"{times} x {line}")
    missed = [name for name, one in zip(spoilt, bad_ones, strict=True) if not hapi.errors(one)]
    for name in missed:
        print(f"not rejected: {name}")
    unchecked = {match[1] for one in good_ones for said in one if (match := UNCHECKED.search(said["message"]))}
    for name in sorted(unchecked):
        print(f"not in the folder, so not checked: {name}")
    of = f"ABDM {guide}" if asked.profiles else "base R4"
    rejected = f", {len(spoilt) - len(missed)} of {len(spoilt)} bad ones rejected" if spoilt else ""
    print(f"{len(bundles)} documents ({', '.join(names)}) by {of}: {sum(found.values())} errors{rejected}")
    return 1 if found or missed else 0


def _documents(count, names, guide):
    coder = Coder.open()
    said = [every_meaning(), every_prescription(), *generated.notes(count)]
    return [document(one, name, coded(one, coder), guide=guide) for one in said for name in names]


def _spoilt():
    made = {}
    for name, one in BAD.items():
        made[name] = good()
        one.spoil(made[name])
    return made


def _version(folder):
    package = folder / "package.json"
    return guide_named(json.loads(package.read_text())["version"]) if package.exists() else Guide.NOW


if __name__ == "__main__":
    sys.exit(main())
