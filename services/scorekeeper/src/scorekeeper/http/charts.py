"""Charts as SVG, drawn here from the series: no script, no library, sharp at every size.

Colours come from classes in the page's style sheet; each chart says in words what it shows.
"""

from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from contracts.records import DriftLevel, LabelQuality
from contracts.segments import parts_of
from markupsafe import Markup, escape
from outcomes.days import DAY_MS, day_of, day_start_ms
from outcomes.folding import Episode, Promotion

from scorekeeper.http.words import moment, share

WIDE = 1160
LEAST_MS = 120_000
"""The shortest time that is drawn."""
MOST_ROWS = 8
_STEPS = 6
_LEFT, _RIGHT = 170, 16

At = Callable[[int], float]
"""From a moment, UTC milliseconds, to a place on the drawing."""


def _svg(width: int, height: int, words: str, parts: Sequence[str], *, kind: str) -> Markup:
    head = f'<svg class="chart {kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704 - every text in it went through `escape`


def _text(x: float, y: float, words: object, kind: str = "", *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def _rect(x: float, y: float, width: float, height: float, *, kind: str, title: str = "", radius: float = 0) -> str:
    inside = f"<title>{escape(title)}</title>" if title else ""
    corners = f' rx="{radius}"' if radius else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}"{corners} '
        f'class="{kind}">{inside}</rect>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, *, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def spark(days: Sequence[tuple[str, float | None]], title: str) -> Markup:
    """One bar a day, the last one is today; a day without data leaves a gap with a foot."""
    width, height, step = 200, 34, 25
    values = [value for _, value in days if value is not None]
    top = max([*values, 1e-9])
    parts = []
    for place, (day, value) in enumerate(days):
        last = " last" if place == len(days) - 1 else ""
        if value is None:
            parts.append(_rect(place * step, height - 1, step - 5, 1, kind="nothing"))
        else:
            tall = max(2.0, max(value, 0.0) / top * (height - 2))
            parts.append(
                _rect(
                    place * step,
                    height - tall,
                    step - 5,
                    tall,
                    kind=f"bar{last}",
                    title=f"{day}: {value:,.3g}",
                    radius=2,
                )
            )
    return _svg(width, height, f"{title}, one bar for each of the last {len(days)} days", parts, kind="spark")


def interval(row: LabelQuality, target: float | None) -> Markup:
    """A value with its interval on a line, and the target as a mark."""
    width, height, middle = 200, 34, 13
    floor = max(0.0, int((min(row.f1_low, target or 1.0) - 0.05) * 10) / 10)

    def at(value: float) -> float:
        return 4 + (value - floor) / (1 - floor) * (width - 8)

    parts = [
        _line(4, middle, width - 4, middle, kind="axis"),
        _rect(at(row.f1_low), middle - 5, at(row.f1_high) - at(row.f1_low), 10, kind="range", title="", radius=5),
        f'<circle cx="{at(row.f1):.1f}" cy="{middle}" r="5" class="dot"/>',
        _text(4, height - 2, f"{floor:.0%}", "tick"),
        _text(width - 4, height - 2, "100%", "tick", anchor="end"),
    ]
    if target is not None:
        parts.append(_line(at(target), middle - 10, at(target), middle + 10, kind="goal"))
        if 34 < at(target) < width - 50:
            parts.append(_text(at(target), height - 2, "target", "tick", anchor="middle"))
    words = f"{share(row.f1)}, true value between {share(row.f1_low)} and {share(row.f1_high)}"
    return _svg(width, height, words, parts, kind="interval")


def pulse(minutes: Sequence[tuple[int, int, int]], zone: ZoneInfo) -> Markup:
    """Notes of each minute of the last hour, those for people on top."""
    width, height, bottom, left = 560, 210, 182, 40
    top = max(max((straight + people for _, straight, people in minutes), default=0), 4)
    step = (width - left - 6) / len(minutes)
    parts = []
    for part in (0.5, 1.0):
        y = bottom - part * (bottom - 14)
        parts += [
            _line(left, y, width - 6, y, kind="grid"),
            _text(left - 6, y + 4, f"{top * part:,.0f}", "tick", anchor="end"),
        ]
    for place, (at_ms, straight, people) in enumerate(minutes):
        x, unit = left + place * step, (bottom - 14) / top
        title = f"{moment(at_ms, zone, '%H:%M')}: {straight} straight through, {people} for people"
        parts.append(_rect(x, bottom - straight * unit, step - 1.5, straight * unit, kind="bar", title=title))
        parts.append(
            _rect(x, bottom - (straight + people) * unit, step - 1.5, people * unit, kind="people", title=title)
        )
    parts.append(_line(left, bottom, width - 6, bottom, kind="axis"))
    for place in (0, 15, 30, 45, len(minutes) - 1):
        anchor = "end" if place == len(minutes) - 1 else "middle" if place else "start"
        words = "now" if place == len(minutes) - 1 else moment(minutes[place][0], zone, "%H:%M")
        parts.append(
            _text(left + (place + (1 if words == "now" else 0)) * step, bottom + 18, words, "tick", anchor=anchor)
        )
    total = sum(straight + people for _, straight, people in minutes)
    return _svg(width, height, f"Notes of each minute of the last hour, {total} in all", parts, kind="pulse")


def forest(rows: Sequence[tuple[str, LabelQuality | None, float | None, int]], target: float | None) -> Markup:
    """The quality of each model version: dot and interval from people's words, a diamond for what the model expects."""
    width, left, right, step = 560, 96, 96, 30
    shown = rows[:MOST_ROWS]
    height = 30 + step * len(shown)
    lows = [row.f1_low for _, row, _, _ in shown if row] + [value for _, _, value, _ in shown if value is not None]
    floor = max(0.0, int(min([0.7, *lows]) * 10) / 10)

    def at(value: float) -> float:
        return left + (value - floor) / (1 - floor) * (width - left - right)

    bottom = height - 22
    parts = []
    for tenth in range(round(floor * 10), 11):
        parts.append(_line(at(tenth / 10), 4, at(tenth / 10), bottom, kind="grid"))
        parts.append(_text(at(tenth / 10), bottom + 16, f"{tenth * 10}%", "tick", anchor="middle"))
    if target is not None and target >= floor:
        parts.append(_line(at(target), 0, at(target), bottom, kind="goal"))
    for place, (name, row, estimated, audited) in enumerate(shown):
        y = 20 + place * step
        parts.append(_text(0, y + 4, f"version {name}", "name"))
        parts.append(_text(width, y + 4, f"{audited:,} audited", "tick", anchor="end"))
        if estimated is not None:
            x = at(estimated)
            parts.append(
                f'<path d="M{x:.1f} {y - 6} l6 6 l-6 6 l-6 -6 z" class="guess"><title>expected {share(estimated)}</title></path>'
            )
        if row is not None:
            low, high = at(row.f1_low), at(row.f1_high)
            parts.append(
                _rect(
                    low,
                    y - 4,
                    high - low,
                    8,
                    kind="range",
                    title=f"{share(row.f1_low)} to {share(row.f1_high)}",
                    radius=4,
                )
            )
            parts.append(
                f'<circle cx="{at(row.f1):.1f}" cy="{y}" r="5.5" class="dot"><title>{share(row.f1)}</title></circle>'
            )
    words = "; ".join(
        f"version {name}: {share(row.f1) if row else 'too few audited' if audited else 'not audited yet'}"
        for name, row, _, audited in shown
    )
    return _svg(width, height, f"Quality by model version. {words}", parts, kind="forest")


def timeline(
    episodes: Sequence[Episode],
    promotions: Sequence[tuple[int, Promotion]],
    start_ms: int,
    now_ms: int,
    *,
    zone: ZoneInfo,
) -> Markup:
    """Episodes of drift as bars over time, under the band of the model that served."""
    start_ms = _zoomed(episodes, promotions, start_ms, now_ms)
    segments = list(dict.fromkeys(one.segment for one in sorted(episodes, key=lambda one: -one.began_at)))
    shown = segments[:MOST_ROWS]
    height = 64 + 26 * max(len(shown), 1) + (18 if len(segments) > len(shown) else 0)
    span = max(now_ms - start_ms, 1)

    def at(moment_ms: int) -> float:
        return _LEFT + (max(moment_ms, start_ms) - start_ms) / span * (WIDE - _LEFT - _RIGHT)

    parts = _ticks(start_ms, now_ms, height, zone, at=at)
    parts += _bands(promotions, height, at)
    for place, segment in enumerate(shown):
        y = 44 + place * 26
        parts.append(_text(0, y + 13, _segment(segment), "name"))
        parts += [_episode(one, y, now_ms, zone, at=at) for one in episodes if one.segment == segment]
    if not shown:
        parts.append(
            _text(_LEFT + 8, 58, "No episode in this time: the notes look like what the model learnt.", "quiet")
        )
    if len(segments) > len(shown):
        parts.append(_text(0, height - 28, f"and {len(segments) - len(shown)} more segments", "tick"))
    words = f"{len(episodes)} episodes of drift in {len(segments)} segments, {len(promotions)} changes of the model"
    return _svg(WIDE, height, words, parts, kind="timeline")


def _segment(key: str) -> str:
    """A segment's key as people say it: city=Pune|specialty=general is Pune, general."""
    return ", ".join(parts_of(key).values()) or "all notes"


def _zoomed(
    episodes: Sequence[Episode], promotions: Sequence[tuple[int, Promotion]], start_ms: int, now_ms: int
) -> int:
    """Where the drawing begins: a little before the first thing that happened in the window."""
    known = [one.began_at for one in episodes] + [one.at for _, one in promotions]
    first = min((at for at in known if at >= start_ms), default=start_ms)
    if any(one.began_at < start_ms and (one.recovered_at is None or one.recovered_at > start_ms) for one in episodes):
        return start_ms
    return max(start_ms, min(first - (now_ms - first) // 12, now_ms - LEAST_MS))


def _ticks(start_ms: int, now_ms: int, height: int, zone: ZoneInfo, *, at: At) -> list[str]:
    """Midnights when days are shown, else a few even steps."""
    if now_ms - start_ms > 2 * DAY_MS:
        today = day_of(now_ms, zone)
        places = [day_start_ms(today, zone, -back) for back in range((now_ms - start_ms) // DAY_MS + 1)]
        marks = [(place, moment(place, zone, "%a %d %b")) for place in places if place >= start_ms]
    else:
        span_ms = now_ms - start_ms
        form = "%d %b %H:%M" if span_ms >= DAY_MS // 2 else "%H:%M" if span_ms >= _STEPS * 60_000 else "%H:%M:%S"
        places = [start_ms + (now_ms - start_ms) * step // _STEPS for step in range(_STEPS)]
        marks = [(place, moment(place, zone, form)) for place in places]
    parts = [_text(WIDE - _RIGHT, height - 6, "now", "tick", anchor="end")]
    for place, words in marks:
        parts.append(_line(at(place), 34, at(place), height - 22, kind="grid"))
        if at(place) < WIDE - _RIGHT - 70:
            parts.append(
                _text(at(place), height - 6, words, "tick", anchor="middle" if at(place) > _LEFT + 30 else "start")
            )
    return parts


def _bands(promotions: Sequence[tuple[int, Promotion]], height: int, at: At) -> list[str]:
    """The model that served: a band from each promotion to the next; those before the drawing end at its edge."""
    parts = [_text(0, 22, "serving model", "name")]
    if not promotions:
        parts.append(
            _text(_LEFT + 8, 22, "No promotion is in the topics: this model served before their first event.", "quiet")
        )
    edge = WIDE - _RIGHT
    for place, (_, one) in enumerate(promotions):
        begin = at(one.at)
        end = at(promotions[place + 1][1].at) if place + 1 < len(promotions) else edge
        if end - begin < 1 and place + 1 < len(promotions):
            continue
        kind = "back" if one.rolled_back else f"model{place % 2}"
        words = f"version {one.version}{', rolled back to' if one.rolled_back else ''}"
        parts.append(_rect(begin, 6, end - begin - 1.5, 24, kind=kind, title=words, radius=4))
        if end - begin > 34:
            parts.append(_text(begin + 8, 22, words if end - begin > 150 else f"v{one.version}", "band"))
        if begin > _LEFT:
            parts.append(_line(begin, 6, begin, height - 22, kind="change"))
    return parts


def _episode(one: Episode, y: int, now_ms: int, zone: ZoneInfo, *, at: At) -> str:
    end = one.recovered_at if one.recovered_at is not None else now_ms
    width = max(at(end) - at(one.began_at), 5)
    kind = "critical" if one.level is DriftLevel.CRITICAL else "warning"
    state = f"recovered {moment(end, zone)}" if one.recovered_at is not None else "still open"
    title = f"{one.level}, from {moment(one.began_at, zone)}, {state}, model version {one.version}"
    shape = _rect(
        at(one.began_at),
        y + 2,
        width,
        15,
        kind=kind if one.recovered_at is not None else f"{kind} open",
        title=title,
        radius=4,
    )
    words = f"{one.level.lower()}, {'recovered' if one.recovered_at is not None else 'open'}"
    return shape + (_text(at(one.began_at) + 7, y + 13.5, words, "inbar") if width > 120 else "")


def bar(part: float, kind: str = "bar") -> Markup:
    """A bar of a table's row; ``part`` of the longest, 0 to 1. Its number stands beside it."""
    return Markup(  # noqa: S704 - numbers and our own class names alone
        '<svg class="chart row" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        f"{_rect(0, 1, max(part * 100, 0.8), 8, kind=kind)}</svg>"
    )
