"""Days as people count them: in one time zone, from UTC milliseconds."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY_MS = 86_400_000


_QUARTER_MS = 900_000  # every zone's midnight lies on a quarter of an hour


def day_of(at_ms: int, zone: ZoneInfo) -> str:
    """The local day of a moment, as YYYY-MM-DD.

    >>> day_of(1_767_225_600_000, ZoneInfo("Asia/Kolkata"))
    '2026-01-01'
    """
    return _day_of_quarter(at_ms // _QUARTER_MS, zone)


@lru_cache(maxsize=4_096)
def _day_of_quarter(quarter: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, UTC).astimezone(zone).date().isoformat()


def day_start_ms(day: str, zone: ZoneInfo, plus_days: int = 0) -> int:
    """The first moment of a local day, or of the day so many days after it, in UTC milliseconds."""
    when = date.fromisoformat(day) + timedelta(days=plus_days)
    return int(datetime(when.year, when.month, when.day, tzinfo=zone).timestamp() * 1000)


def shift(day: str, days: int) -> str:
    """The day so many days later."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


def last_days(today: str, count: int) -> tuple[str, ...]:
    """The last ``count`` days up to and with today, oldest first.

    >>> last_days("2026-03-01", 3)
    ('2026-02-27', '2026-02-28', '2026-03-01')
    """
    return tuple(shift(today, -back) for back in range(count - 1, -1, -1))
