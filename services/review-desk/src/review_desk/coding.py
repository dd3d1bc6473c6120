"""Codes of mentions at the desk: what the tables give, what people say it should be, and what a lead made of that."""

import csv
import io
import re
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

from contracts.records import DeskChange, DeskChanged
from runtime.errors import SettingsError
from runtime.service.clock import now_ms
from terminology import Coder, TerminologyRefused
from terminology.systems import system_of
from terminology.table import Coding
from terminology.words import surface

from review_desk.adapters.code_changes import CodeChange, CodeChanges, Proposed
from review_desk.desk import Reviewer
from review_desk.domain.refusals import Conflict

MOST_FOUND = 20
LONGEST_MENTION = 200
_SUBJECTS = uuid.uuid5(uuid.NAMESPACE_DNS, "codes.desk.rxtract.behealthy.in")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_NOT_IN_A_TABLE = re.compile(r"[<>|&\x00-\x1f\x7f]")


class CodeBook:
    """The tables of codes, to look mentions up in and to search.

    Raises:
        SettingsError: There are none in the folder, or one cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._coder = Coder.open(folder)
        except TerminologyRefused as error:
            raise SettingsError(f"RXTRACT_TERMINOLOGY_DIR: {error}") from None
        self._known = [table.coding(place) for table in self._coder.tables for place in range(len(table.concepts))]
        self._words = [frozenset(_WORD.findall(f"{one.code} {one.display}".lower())) for one in self._known]

    @property
    def version(self) -> str:
        """The versions of all tables."""
        return self._coder.version

    def codes(self, mention: str, label: str) -> tuple[Coding, ...]:
        """Return the codes of a mention; none where no code is sure enough."""
        found = self._coder.code(mention, label)
        return () if found is None else found.codings

    def search(self, words: str, label: str) -> list[Coding]:
        """Return codes by what one remembers of them: their code, the beginnings of words of their name, or a name that is looked up."""
        asked = _WORD.findall(words.lower())
        if not asked:
            return []
        found = dict.fromkeys(self.codes(words, label))
        for one, known in zip(self._known, self._words, strict=True):
            if all(any(word.startswith(start) for word in known) for start in asked):
                found[one] = None
                if len(found) >= MOST_FOUND:
                    break
        return list(found)[:MOST_FOUND]

    def coding(self, wanted: Coding, label: str) -> Coding | None:
        """Return a code as the tables have it; None where none has. A substance has no number there, only its names: it is looked up by that."""
        for one in (*self._known, *self.codes(wanted.display, label)):
            if (one.system, one.code) == (wanted.system, wanted.code):
                return one
        return None


def subject_of(mention: str, label: str) -> str:
    """Return by what a mention is known on the topic: the same however it is written."""
    return f"code/{uuid.uuid5(_SUBJECTS, f'{label}|{surface(mention)}')}"


class CodeReview:
    """Takes proposals of validators and decisions of leads: on the topic first, then here.

    Args:
        book: The tables.
        changes: What is known so far.
        publish: Sends a change and waits until the broker has it; raises `Recoverable`.
        apply: Puts it into the projection at once; the follower does it again from the topic.
        is_sealed: Texts are sealed here, so that no mention may stand on the topic in clear.
    """

    def __init__(
        self,
        book: CodeBook,
        changes: CodeChanges,
        publish: Callable[[DeskChanged], None],
        apply: Callable[[DeskChanged], None],
        *,
        is_sealed: bool = False,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.book = book
        self.changes = changes
        self._publish = publish
        self._apply = apply
        self._is_sealed = is_sealed
        self._clock = clock

    def propose(self, who: Reviewer, mention: str, label: str, wanted: Coding) -> None:
        """Propose a code that a search found for a mention.

        Raises:
            Conflict: It cannot stand in a table, no table has the code, or a lead accepted it already.
        """
        if self._is_sealed:
            raise Conflict("texts are sealed here: a code is corrected by a CSV and `rxtract terminology import`")
        coding = self.book.coding(wanted, label)
        if coding is None:
            raise Conflict("no table of this desk has that code: search for it and take one that is found")
        mention = " ".join(mention.split())
        if not surface(mention) or _NOT_IN_A_TABLE.search(mention):
            raise Conflict("these words cannot stand in a table of codes: mark the name alone, without < > | &")
        subject = subject_of(mention, label)
        known = self.changes.get(subject)
        if known is not None and known.accepted is not None and _is(known.accepted, coding.system, coding.code):
            raise Conflict("a lead accepted this code already: it counts with the next tables")
        proposed = Proposed(subject, mention, label, coding.system, coding.code, coding.display, who.annotator, 0)
        self._change(DeskChange.CODE_PROPOSED, proposed, who)

    def decide(self, who: Reviewer, subject: str, code: tuple[str, str], *, accept: bool) -> None:
        """Accept what is proposed for a mention, or refuse it.

        Raises:
            Conflict: Another code was proposed since, or another lead has decided.
        """
        known = self.changes.get(subject)
        waiting = known.waiting if known is not None else None
        if waiting is None or not _is(waiting, *code):
            raise Conflict("this proposal does not wait any more: load the page again")
        self._change(DeskChange.CODE_ACCEPTED if accept else DeskChange.CODE_REFUSED, waiting, who)

    def _change(self, kind: DeskChange, proposed: Proposed, who: Reviewer) -> None:
        event = DeskChanged(
            subject=proposed.subject,
            kind=kind,
            mention=proposed.mention,
            label=proposed.label,
            code_system=proposed.system,
            code=proposed.code,
            code_display=proposed.display,
            changed_by=who.annotator,
            changed_at=self._clock(),
        )
        self._publish(event)
        self._apply(event)


def _is(one: Proposed, system: str, code: str) -> bool:
    return (one.system, one.code) == (system, code)


def accepted_by_system(changes: Iterable[CodeChange]) -> dict[str, list[Proposed]]:
    """Return what leads accepted, by the short name of the code system, in the order of codes."""
    found: dict[str, list[Proposed]] = {}
    for one in changes:
        if one.accepted is not None:
            found.setdefault(system_of(one.accepted.system).name, []).append(one.accepted)
    return {name: sorted(rows, key=lambda row: (row.code, row.label, row.mention)) for name, rows in found.items()}


def csv_of(rows: list[Proposed]) -> str:
    """Return accepted codes of one system as the CSV that `rxtract terminology import --prefer` takes: a row for each code and label."""
    of: dict[str, list[Proposed]] = {}
    for row in rows:
        of.setdefault(row.code, []).append(row)
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    write.writerow(("code", "name", "synonyms", "label"))
    for code, same in of.items():
        name = _NOT_IN_A_TABLE.sub(" ", same[0].display) or same[0].mention
        labels = {row.label for row in same}
        write.writerow((code, name, "|".join(row.mention for row in same), labels.pop() if len(labels) == 1 else ""))
    return text.getvalue()
