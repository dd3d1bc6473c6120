"""Which treatment is for which disease: a stated rule on sentence and distance, silent where it is unsure.

1. Only entities of one sentence are paired.
2. A treatment goes to the nearest disease of its sentence, counted in tokens between the two, if that is at most
   MAX_GAP tokens away.
3. If another disease is as near, or nearer than MARGIN tokens more, on the other side, the treatment stays unpaired.
   Diseases listed together (at most LIST_GAP tokens apart) count as one place: all of them are paired.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_GAP = 25
MARGIN = 3
LIST_GAP = 2
_DISEASE, _TREATMENT = 1, 2


def treatment_pairs(entities: Sequence[Sequence[int]]) -> tuple[tuple[int, int], ...]:
    """Return (treatment, disease) as indices into `entities`.

    Args:
        entities: Rows of (note, class, start, end, sentence, first token, last token) of one note, in order.
    """
    pairs = []
    for index, row in enumerate(entities):
        if row[1] == _TREATMENT:
            diseases = [at for at, other in enumerate(entities) if other[1] == _DISEASE and other[4] == row[4]]
            pairs += [(index, at) for at in _chosen(entities, row, diseases)]
    return tuple(pairs)


def _gap(left: Sequence[int], right: Sequence[int]) -> int:
    """Tokens between two entities."""
    return max(right[5] - left[6], left[5] - right[6]) - 1


def _chosen(entities: Sequence[Sequence[int]], treatment: Sequence[int], diseases: list[int]) -> list[int]:
    near = sorted((_gap(treatment, entities[at]), at) for at in diseases)
    if not near or near[0][0] > MAX_GAP:
        return []
    place = _listed_with(entities, diseases, near[0][1])
    rivals = [gap for gap, at in near if at not in place]
    return [] if rivals and rivals[0] - near[0][0] < MARGIN else place


def _listed_with(entities: Sequence[Sequence[int]], diseases: list[int], at: int) -> list[int]:
    """The diseases of the list that disease `at` stands in."""
    where = diseases.index(at)
    first = last = where
    while first > 0 and _gap(entities[diseases[first - 1]], entities[diseases[first]]) <= LIST_GAP:
        first -= 1
    while last + 1 < len(diseases) and _gap(entities[diseases[last]], entities[diseases[last + 1]]) <= LIST_GAP:
        last += 1
    return diseases[first : last + 1]
