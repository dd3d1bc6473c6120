"""One suite over the simulated broker and a real one: what the simulation takes for granted of Kafka and its client holds there."""

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from tests.simulation.clusters import Real, Simulated

END, RESET = KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.stack)])
def play(request):
    if request.param == "simulated":
        return Simulated().play
    return Real(request.getfixturevalue("stack").addresses.bootstrap_servers).play


def fill(cluster, topic, values, partition=0):
    """Produce, and give the offsets of the reports."""
    offsets, producer = [], cluster.producer()
    for value in values:
        producer.produce(topic, value, partition=partition, on_delivery=lambda error, one: offsets.append(one.offset()))
    cluster.until(lambda: producer.poll(0.05) is not None and len(offsets) == len(values))
    return offsets


def next_of(cluster, consumer):
    return cluster.until(lambda: consumer.poll(0.2))


def values_of(cluster, consumer, count):
    """So many records; the ends of partitions between them are passed over."""
    found = []
    while len(found) < count:
        message = next_of(cluster, consumer)
        assert message.error() is None or message.error().code() == END, message.error()
        if message.error() is None:
            found.append(message.value())
    return found


def test_reports_come_in_order_with_the_place_of_each(play):
    def story(cluster):
        topic = cluster.topic()
        assert fill(cluster, topic, [b"a", b"b", b"c"]) == [0, 1, 2]

    play(story)


def test_reading_begins_where_it_is_told_and_the_end_is_told_once(play):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a", b"b", b"c"])
        consumer = cluster.consumer()
        consumer.assign([TopicPartition(topic, 0, 1)])
        assert values_of(cluster, consumer, 2) == [b"b", b"c"]
        end = next_of(cluster, consumer)
        assert (end.error().code(), end.offset(), end.partition()) == (END, 3, 0)
        assert [consumer.poll(0.2) for _ in range(3)] == [None] * 3
        fill(cluster, topic, [b"d"])
        assert values_of(cluster, consumer, 1) == [b"d"]
        end = next_of(cluster, consumer)
        assert (end.error().code(), end.offset()) == (END, 4)

    play(story)


def test_a_seek_is_followed_and_the_end_is_told_again(play):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a", b"b"])
        consumer = cluster.consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        values_of(cluster, consumer, 2)
        assert next_of(cluster, consumer).error().code() == END
        consumer.seek(TopicPartition(topic, 0, 1))
        assert values_of(cluster, consumer, 1) == [b"b"]
        assert next_of(cluster, consumer).offset() == 2

    play(story)


def test_a_marker_leaves_a_hole_and_what_was_aborted_does_not_come(play):
    def story(cluster):
        topic = cluster.topic()
        cluster.transact(topic, [b"a", b"b"], commit=True)
        cluster.transact(topic, [b"gone"], commit=False)
        fill(cluster, topic, [b"c"])
        consumer = cluster.consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        found = [message for message in (next_of(cluster, consumer) for _ in range(3)) if message.error() is None]
        assert [(one.value(), one.offset()) for one in found] == [(b"a", 0), (b"b", 1), (b"c", 5)]
        assert next_of(cluster, consumer).offset() == 6

    play(story)


def test_an_end_that_is_a_marker_is_told_behind_it(play):
    def story(cluster):
        topic = cluster.topic()
        cluster.transact(topic, [b"a"], commit=True)
        consumer = cluster.consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        values_of(cluster, consumer, 1)
        ends = cluster.until(lambda: ends_behind(consumer, 2))
        assert ends

    def ends_behind(consumer, offset):
        message = consumer.poll(0.2)
        return message is not None and message.error() is not None and message.offset() == offset

    play(story)


def test_nothing_behind_an_open_transaction_is_read(play):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a"])
        close = cluster.open_transaction(topic, b"b")
        fill(cluster, topic, [b"c"])
        consumer = cluster.consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        assert values_of(cluster, consumer, 1) == [b"a"]
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=10) == (0, 1)
        close()
        assert values_of(cluster, consumer, 2) == [b"b", b"c"]

    play(story)


@pytest.mark.parametrize("asked", [1, 9])
def test_a_position_that_is_not_there_is_an_error_and_the_partition_is_given_up(play, asked):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a", b"b", b"c", b"d"])
        cluster.delete_before(topic, 3)
        consumer = cluster.consumer()
        consumer.assign([TopicPartition(topic, 0, asked)])
        message = next_of(cluster, consumer)
        assert message.error().code() == RESET
        assert message.offset() == asked
        with pytest.raises(KafkaException) as refused:
            consumer.seek(TopicPartition(topic, 0, 3))
        assert refused.value.args[0].code() == KafkaError._STATE
        consumer.assign([TopicPartition(topic, 0, 3)])
        assert values_of(cluster, consumer, 1) == [b"d"]

    play(story)


def test_a_client_that_may_decide_goes_to_the_earliest(play):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a", b"b", b"c"])
        cluster.delete_before(topic, 2)
        consumer = cluster.consumer(**{"auto.offset.reset": "earliest"})
        consumer.assign([TopicPartition(topic, 0, 0)])
        assert values_of(cluster, consumer, 1) == [b"c"]

    play(story)


def test_nothing_comes_from_what_is_paused(play):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a"])
        consumer = cluster.consumer()
        place = TopicPartition(topic, 0, 0)
        consumer.assign([place])
        values_of(cluster, consumer, 1)
        consumer.pause([place])
        fill(cluster, topic, [b"b"])
        found = [consumer.poll(0.2) for _ in range(4)]
        assert not [one for one in found if one is not None and one.error() is None]
        consumer.seek(TopicPartition(topic, 0, 1))
        consumer.resume([place])
        assert values_of(cluster, consumer, 1) == [b"b"]

    play(story)


def test_what_went_while_it_was_paused_comes_back_paused(play):
    def story(cluster):
        topic = cluster.topic()
        fill(cluster, topic, [b"a", b"b"])
        consumer = cluster.consumer()
        place = TopicPartition(topic, 0, 0)
        consumer.incremental_assign([place])
        values_of(cluster, consumer, 2)
        consumer.pause([place])
        consumer.incremental_unassign([place])
        consumer.incremental_assign([place])
        found = [consumer.poll(0.2) for _ in range(4)]
        assert not [one for one in found if one is not None and one.error() is None]
        consumer.resume([place])
        assert values_of(cluster, consumer, 2) == [b"a", b"b"]

    play(story)


def test_a_group_keeps_offsets_and_what_stands_beside_them(play):
    def story(cluster):
        topic = cluster.topic(2)
        heard = []
        consumer = member(cluster, topic, heard)
        cluster.until(lambda: polled(consumer) and heard)
        consumer.commit(offsets=[TopicPartition(topic, 0, 5, "beside")], asynchronous=False)
        places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        found = consumer.committed(places, timeout=10)
        assert [(one.offset, one.metadata or "") for one in found] == [(5, "beside"), (OFFSET_INVALID, "")]

    play(story)


def member(cluster, topic, heard, **config):
    """A member that says what it hears, and reads from the beginning."""

    def on_assign(consumer, partitions):
        heard.append(("assigned", sorted(one.partition for one in partitions)))
        places = [TopicPartition(topic, one.partition, 0) for one in partitions]
        consumer.assign(places) if config else consumer.incremental_assign(places)

    def on_revoke(consumer, partitions):
        heard.append(("revoked", sorted(one.partition for one in partitions)))
        if partitions:
            consumer.commit(offsets=[TopicPartition(topic, partitions[0].partition, 7)], asynchronous=False)

    consumer = cluster.consumer(**config)
    consumer.subscribe([topic], on_assign=on_assign, on_revoke=on_revoke)
    return consumer


def polled(*consumers):
    for consumer in consumers:
        consumer.poll(0.05)
    return True


def test_a_member_that_joins_takes_some_and_the_first_may_commit_while_it_gives_them(play):
    def story(cluster):
        topic = cluster.topic(4)
        first_heard, second_heard = [], []
        first = member(cluster, topic, first_heard)
        cluster.until(lambda: polled(first) and ("assigned", [0, 1, 2, 3]) in first_heard)
        second = member(cluster, topic, second_heard)
        cluster.until(lambda: polled(first, second) and any(parts for _, parts in second_heard))
        gone = [parts for what, parts in first_heard if what == "revoked" and parts]
        assert len(gone) == 1
        assert len(gone[0]) == 2  # only what moves is given away
        assert [parts for what, parts in second_heard if what == "assigned" and parts] == gone
        found = second.committed([TopicPartition(topic, gone[0][0])], timeout=10)
        assert found[0].offset == 7
        assert sorted(one.partition for one in first.assignment()) == sorted({0, 1, 2, 3} - set(gone[0]))

    play(story)


def test_an_eager_group_gives_everything_away_first(play):
    def story(cluster):
        topic = cluster.topic(4)
        first_heard, second_heard = [], []
        eager = {"partition.assignment.strategy": "range"}
        first = member(cluster, topic, first_heard, **eager)
        cluster.until(lambda: polled(first) and ("assigned", [0, 1, 2, 3]) in first_heard)
        second = member(cluster, topic, second_heard, **eager)
        cluster.until(lambda: polled(first, second) and any(parts for _, parts in second_heard))
        assert ("revoked", [0, 1, 2, 3]) in first_heard
        cluster.until(lambda: polled(first, second) and len([1 for what, _ in first_heard if what == "assigned"]) > 1)
        assert len(first_heard[-1][1]) + len(second_heard[-1][1]) == 4

    play(story)


def test_who_closes_gives_away_what_it_has(play):
    def story(cluster):
        topic = cluster.topic(2)
        first_heard, second_heard = [], []
        first = member(cluster, topic, first_heard)
        cluster.until(lambda: polled(first) and ("assigned", [0, 1]) in first_heard)
        first.close()
        assert first_heard[-1] == ("revoked", [0, 1])
        second = member(cluster, topic, second_heard)
        cluster.until(lambda: polled(second) and ("assigned", [0, 1]) in second_heard)

    play(story)


def test_new_partitions_come_to_the_group(play):
    def story(cluster):
        topic = cluster.topic(1)
        heard = []
        consumer = member(cluster, topic, heard)
        cluster.until(lambda: polled(consumer) and heard)
        cluster.grow(topic, 3)
        assert cluster.until(lambda: cluster.partitions(topic) == 3)
        cluster.until(lambda: polled(consumer) and len(consumer.assignment()) == 3)

    play(story)


def test_a_record_that_is_too_large_is_refused_alone(play):
    def story(cluster):
        topic = cluster.topic()
        errors, producer = [], cluster.producer()
        try:
            producer.produce(
                topic, b"x" * 50_000, partition=0, on_delivery=lambda error, _: errors.append(error.code())
            )
        except KafkaException as refused:
            errors.append(refused.args[0].code())
        cluster.until(lambda: producer.poll(0.05) is not None and errors)
        assert errors == [KafkaError.MSG_SIZE_TOO_LARGE]
        assert fill(cluster, topic, [b"a"]) == [0]

    play(story)
