"""From the codes of ICD-10-CM, which an open wheel brings, to those of WHO's ICD-10, which India uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

ICD10_CODE = re.compile(r"[A-Z]\d\d(?:\.\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Projection:
    """What does not project by truncation: whole categories, single codes, and fourth characters."""

    categories: dict[str, str]
    codes: dict[str, str]
    category_only: frozenset[str]
    added: dict[str, str]

    def project(self, code: str) -> str | None:
        """Return the code of ICD-10 for one of ICD-10-CM; None where ICD-10 has no place for it."""
        category = code[:3]
        if category in self.categories:
            target = self.categories[category]
            return None if target == "-" else target
        for length in range(len(code), 2, -1):
            if code[:length] in self.codes:
                return self.codes[code[:length]]
        fourth = code[4:5]
        if (
            not fourth
            or category in self.category_only
            or fourth in self.added.get(category, "")
            or not fourth.isdigit()
        ):
            return category
        return code[:5]


@lru_cache(maxsize=1)
def read() -> Projection:
    """Return the differences as they stand in `data/projection.txt`."""
    sections: dict[str, list[str]] = {}
    section = ""
    for raw in (files("terminology") / "data" / "projection.txt").read_text(encoding="utf-8").splitlines():
        line = raw.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            sections.setdefault(section, []).append(line)
    pairs = [dict(line.split(" = ") for line in sections[name]) for name in ("categories", "codes")]
    only = frozenset(" ".join(sections["category only"]).split())
    added = dict(entry.split(".") for entry in " ".join(sections["added"]).split())
    return Projection(pairs[0], pairs[1], only, added)
