"""What a correction changed: as the plain definition has it, in time that does not grow with the square of a note's entities."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import log2
from types import SimpleNamespace

from contracts.records import AnnotationChanges, Entity, EntityLabel
from hypothesis import given
from hypothesis import strategies as st
from review_desk.domain.spans import DrawnSpan, Pair, changes_of, relations_of

LABELS = (EntityLabel.DISEASE, EntityLabel.TREATMENT)
Span = tuple[int, int, str]


def entity(start: int, end: int, label: EntityLabel) -> Entity:
    return Entity(entity_id="e", label=label, text="x", start=start, end=end, confidence=1.0)


def by_definition(predicted: Sequence[Entity], final: Sequence[Entity]) -> AnnotationChanges:
    """Each span is compared with each: slow, and plainly right."""
    old = [(one.start, one.end, str(one.label)) for one in predicted]
    new = [(one.start, one.end, str(one.label)) for one in final]
    kept = [span for span in old if span in new]
    left, come = [span for span in old if span not in kept], [span for span in new if span not in kept]
    relabelled = _match(left, come, lambda a, b: a[:2] == b[:2])
    moved = _match(left, come, lambda a, b: a[0] < b[1] and b[0] < a[1])
    return AnnotationChanges(kept=len(kept), added=len(come), removed=len(left), moved=moved, relabelled=relabelled)


def _match(left: list[Span], come: list[Span], same: Callable[[Span, Span], bool]) -> int:
    count = 0
    for span in list(left):
        partner = next((other for other in come if same(span, other)), None)
        if partner is not None:
            left.remove(span)
            come.remove(partner)
            count += 1
    return count


SPANS = st.builds(
    lambda start, length, label: entity(start, start + length, label),
    st.integers(0, 40),
    st.integers(0, 12),
    st.sampled_from(LABELS),
)


@st.composite
def in_text_order(draw: st.DrawFn) -> list[Entity]:
    """Entities as a person left them: in order, none empty, none over another."""
    cuts = sorted(draw(st.sets(st.integers(0, 45), max_size=24)))
    places = [place for place in pairwise(cuts) if draw(st.booleans())]
    return [entity(*place, draw(st.sampled_from(LABELS))) for place in places]


@given(st.lists(SPANS, max_size=16), in_text_order())
def test_changes_are_those_of_the_plain_definition(predicted: list[Entity], final: list[Entity]) -> None:
    assert changes_of(predicted, final) == by_definition(predicted, final)


@given(in_text_order(), in_text_order())
def test_and_so_they_are_when_the_model_kept_to_the_rules_too(predicted: list[Entity], final: list[Entity]) -> None:
    assert changes_of(predicted, final) == by_definition(predicted, final)


class Counted(int):
    """A number that counts how often it is compared."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return int(self) == other

    def __lt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) < int(other)

    def __gt__(self, other: int) -> bool:
        Counted.compared += 1
        return int(self) > int(other)

    __hash__ = int.__hash__


def comparisons(predicted: Sequence[Entity], final: Sequence[Entity]) -> int:
    Counted.compared = 0
    changes_of(predicted, final)
    return Counted.compared


def counted(shift: int, length: int, count: int) -> list[Entity]:
    return [
        entity(Counted(10 * place + shift), Counted(10 * place + shift + length), EntityLabel.DISEASE)
        for place in range(count)
    ]


def test_a_note_with_many_entities_costs_no_square() -> None:
    count = 2_000
    enough = 10 * count * log2(count)
    apart = counted(0, 4, count), counted(5, 4, count)
    moved = counted(0, 8, count), counted(1, 8, count)
    one_over_all = [entity(Counted(0), Counted(10 * count), EntityLabel.TREATMENT)] * count, counted(1, 8, count)
    for predicted, final in (apart, moved, one_over_all):
        assert comparisons(predicted, final) < enough


def test_a_pair_that_is_named_twice_counts_once() -> None:
    entities = [entity(0, 1, EntityLabel.TREATMENT), entity(2, 3, EntityLabel.DISEASE)]
    pair = Pair(DrawnSpan(0, 1, "TREATMENT"), DrawnSpan(2, 3, "DISEASE"))
    assert len(relations_of(entities, [pair, pair], SimpleNamespace(entities=(), relations=()), all_shown=False)) == 1
