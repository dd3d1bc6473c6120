"""A peer: Quix Streams, ``dataframe.apply.to_topic``. Runs in an environment of its own, because it pins an older client."""

from quixstreams import Application
from stream_work import Task, Work


def main() -> None:
    """Run until killed."""
    task = Task.from_arguments()
    work = Work(task)
    app = Application(
        broker_address=task.bootstrap_servers,
        consumer_group=task.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="WARNING",
        consumer_extra_config={"fetch.queue.backoff.ms": 20},
        producer_extra_config={
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 500_000,
        },
    )
    source = app.topic(task.input_topic, key_deserializer="bytes", value_deserializer="bytes")
    target = app.topic(task.output_topic, key_serializer="bytes", value_serializer="bytes")
    app.dataframe(source).apply(work.one).to_topic(target)
    app.run()


if __name__ == "__main__":
    main()
