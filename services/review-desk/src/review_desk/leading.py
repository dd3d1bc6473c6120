"""What a lead changes for everybody: the guideline, and for whom segments are reserved. On the topic first, then here."""

from collections.abc import Callable, Collection

from clinical_ner.guideline import edited
from contracts.records import DeskChange, DeskChanged
from runtime.service.clock import now_ms

from review_desk.adapters.guidelines import Guidelines
from review_desk.desk import Reviewer
from review_desk.domain.refusals import Conflict

MAX_GUIDELINE_CHARS = 60_000
MAX_RESERVATIONS = 200
MAX_RESERVED_FOR = 50


class Leading:
    """Takes a lead's changes.

    Args:
        publish: Sends a change and waits until the broker has it; raises `Recoverable`.
        apply: Puts it into the projection at once; the follower does it again from the topic.
        claim: Takes the right to write a version; false when another lead was quicker.
    """

    def __init__(
        self,
        guidelines: Guidelines,
        publish: Callable[[DeskChanged], None],
        apply: Callable[[DeskChanged], None],
        claim: Callable[[str], bool],
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._guidelines = guidelines
        self._publish = publish
        self._apply = apply
        self._claim = claim
        self._clock = clock

    def edit(self, who: Reviewer, text: str, based_on: str) -> str:
        """Write the next version of the guideline; gives its version.

        Raises:
            Conflict: Another lead has written one since, or is writing it, or nothing was changed.
        """
        current = self._guidelines.version()
        before = self._guidelines.get(current)
        if based_on != current:
            raise Conflict(f"another lead has written version {current} since: load it and edit that")
        if before is not None and before.guideline.text.strip() == text.strip():
            raise Conflict("nothing was changed in the text")
        version = edited(current)
        if not self._claim(version):
            raise Conflict("another lead is writing the guideline at this moment: load it again in a minute")
        self._change(
            DeskChanged(
                subject=f"guideline/{version}",
                kind=DeskChange.GUIDELINE_EDITED,
                guideline_version=version,
                text=text,
                changed_by=who.annotator,
                changed_at=self._clock(),
            )
        )
        return version

    def reserve(self, who: Reviewer, segment: str, annotators: Collection[str]) -> None:
        """Keep a segment's notes for some people; for nobody: release it."""
        self._change(
            DeskChanged(
                subject=f"reservation/{segment}",
                kind=DeskChange.RESERVED if annotators else DeskChange.RELEASED,
                segment=segment,
                annotators=tuple(sorted(annotators)),
                changed_by=who.annotator,
                changed_at=self._clock(),
            )
        )

    def _change(self, event: DeskChanged) -> None:
        self._publish(event)
        self._apply(event)
