"""Which cities and specialties notes come from, to choose among."""

from collections.abc import Iterable

from review_desk.adapters.store import KEEP_S, Store

MOST_SHOWN = 300


class Places:
    """Cities and specialties of the requests of the last month."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._cities = store.key("cities")
        self._specialties = store.key("specialties")

    def put(self, places: Iterable[tuple[str, str]]) -> None:
        """Remember (city, specialty) of notes."""
        seen = set(places)
        for key, names in ((self._cities, {city for city, _ in seen}), (self._specialties, {one for _, one in seen})):
            if named := sorted(names - {""}):
                self._redis.sadd(key, *named)
                self._redis.expire(key, KEEP_S)

    def cities(self) -> list[str]:
        """By name."""
        return sorted(self._redis.smembers(self._cities))[:MOST_SHOWN]

    def specialties(self) -> list[str]:
        """By name."""
        return sorted(self._redis.smembers(self._specialties))[:MOST_SHOWN]
