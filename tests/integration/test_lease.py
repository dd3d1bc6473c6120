"""The lease on a real Redis: one holder, a fence that rises, and a holder that stood still finds out."""

from __future__ import annotations

import time
import uuid

import pytest
from redis import Redis
from runtime.errors import Recoverable
from runtime.service.lease import Lease

pytestmark = pytest.mark.stack


@pytest.fixture
def redis(stack):
    with Redis.from_url(stack.addresses.redis_url) as client:
        yield client


@pytest.fixture
def key() -> str:
    return f"test:{uuid.uuid4().hex}"


def expired(redis, key) -> None:
    deadline = time.monotonic() + 20
    while redis.exists(key):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_holds_it_and_gives_it_back(redis, key):
    one, two = Lease(redis, key, 30), Lease(redis, key, 30)
    assert one.hold()
    assert not two.hold()
    assert one.hold()
    assert (one.fence, two.fence) == (1, 0)
    two.release()  # not its own
    assert one.is_held(1)
    one.release()
    assert not one.is_held(1)
    assert two.hold()
    assert two.fence == 2


def test_a_holder_that_stood_still_is_fenced_even_when_it_has_the_lease_again(redis, key):
    one, two = Lease(redis, key, 0.2), Lease(redis, key, 0.2)
    assert one.hold()
    begun = one.fence
    expired(redis, key)
    assert not one.is_held(begun)
    assert two.hold()
    assert not one.is_held(begun)
    expired(redis, key)
    assert one.hold()
    assert one.fence > two.fence > begun
    assert not one.is_held(begun)
    assert one.is_held(one.fence)


def test_a_redis_that_was_emptied_costs_the_lease_and_nothing_else(redis, key):
    one = Lease(redis, key, 30)
    assert one.hold()
    begun = one.fence
    redis.delete(key)
    assert not one.is_held(begun)
    assert one.hold()
    assert one.is_held(one.fence)


def test_a_redis_that_is_away_is_a_reason_to_wait():
    with Redis.from_url("redis://127.0.0.1:1/0", socket_connect_timeout=1) as nowhere:
        lease = Lease(nowhere, "k", 1)
        for ask in (lease.hold, lambda: lease.is_held(1)):
            with pytest.raises(Recoverable):
                ask()
        lease.release()
