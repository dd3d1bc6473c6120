"""What happened in a world, a line an event: seconds, what, and to whom."""

from collections.abc import Iterable, Iterator, Mapping

from runtime.stream.attempts import Mark

Event = tuple[float, str, Mapping[str, object]]
_SHORT = {"notes.submitted.v1": "submitted", "notes.accepted.v1": "accepted", "entities.extracted.v1": "entities"}


def printed(story: Iterable[Event]) -> Iterator[str]:
    """The lines; what repeats without news (the same offset committed again) is left out."""
    committed: dict[tuple[object, ...], object] = {}
    for at_s, what, more in story:
        if what == "commit":
            place = (more["group"], more["topic"], more["partition"])
            if committed.get(place) == (more["offset"], more["mark"]):
                continue
            committed[place] = (more["offset"], more["mark"])
        yield f"{at_s:8.3f}  {what:<14} {_words(more)}".rstrip()


def _words(more: Mapping[str, object]) -> str:
    words = []
    place = ""
    if "topic" in more and "partition" in more:
        place = f"{_short(more['topic'])}[{more['partition']}]"
        if "offset" in more:
            place += f" @{more['offset']}"
        words.append(place)
    for name, value in more.items():
        if place and name in ("topic", "partition", "offset"):
            continue
        if name == "mark":
            words.append(_mark(str(value)))
        elif name == "key":
            words.append("" if value is None else bytes(value).decode(errors="replace"))  # type: ignore[call-overload]
        else:
            words.append(f"{name}={_short(value)}")
    return "  ".join(word for word in words if word)


def _short(value: object) -> object:
    return _SHORT.get(value, value) if isinstance(value, str) else value


def _mark(text: str) -> str:
    """What stands beside a committed offset, in words."""
    mark = Mark.parse(text)
    if not mark.suspicious:
        return "nothing in hand"
    words = "has records in hand" if mark.running else "nobody has anything in hand"
    if mark.first >= 0:
        words += f" ({mark.first} to {mark.last})"
    return words + (f", {mark.deaths} died" if mark.deaths else "")
