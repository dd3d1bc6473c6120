"""Servers of others that hang."""  # noqa: INP001

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from catalogue import fault
from confluent_kafka.admin import AdminClient
from contracts.apply import apply_topics
from contracts.records import ModelAction
from contracts.topics import NOTES_SUBMITTED, load_topics
from runtime.service.secret_files import hash_token
from world import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world import World

TOKENS = ("token-of-the-second-client", "token-of-the-third-client")
ACCEPTED = 202


@fault("Redis hangs (SIGSTOP)", "DeduplicationDown")
def _redis(world: World) -> Iterator[None]:
    world.stack.pause("redis")
    yield
    world.stack.resume("redis")


@fault("MLflow hangs (SIGSTOP) while an order comes", "ModelCheckOld", "TrainerWaits")
def _mlflow(world: World) -> Iterator[None]:
    order = world.order(ModelAction.PROMOTE, world.champion())
    world.stack.pause("mlflow")
    order()
    yield
    world.stack.resume("mlflow")


@fault("somebody deletes the topic of submitted notes, and makes it again", "ReadingFails", "KafkaDoorFails")
def _topic(world: World) -> Iterator[None]:
    config = {"bootstrap.servers": world.running.addresses.bootstrap_servers}
    admin = AdminClient(config)  # its futures live as long as it does
    for future in admin.delete_topics([NOTES_SUBMITTED]).values():
        future.result(30)
    yield
    apply_topics(config, {NOTES_SUBMITTED: load_topics()[NOTES_SUBMITTED]})


@fault("Kafka hangs (SIGSTOP) while two clients send all that they have", "HttpUnavailable", "HttpQueueFull")
def _kafka(world: World) -> Iterator[None]:
    with (world.running.data_dir / "secrets/tokens").open("a") as file:
        file.writelines(f"client-{number}:{hash_token(token)}\n" for number, token in enumerate(TOKENS))
    until(lambda: world.post(world.notes(1), TOKENS[0]) == ACCEPTED, 30, "the second client is not known")
    arrays = [world.notes(500) for _ in range(20)]  # no client may have more than half of the queue
    world.stack.pause("kafka")
    try:
        with ExitStack() as clients:
            for place, array in enumerate(arrays):
                clients.enter_context(world.meanwhile(partial(world.post, array, TOKENS[place % 2]), 0.5))
            yield
    finally:
        world.stack.resume("kafka")
