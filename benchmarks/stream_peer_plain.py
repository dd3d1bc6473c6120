"""The plain way: a confluent-kafka loop without a framework. Consume many, produce, wait for the reports, commit.

With ``--columns`` its work is the extractor's by columns, so that all it lacks is what makes a service of a loop.
"""

import sys

from confluent_kafka import Consumer, KafkaError, Producer
from stream_work import ColumnWork, Task, Work

BATCH = 5_000


def main() -> None:
    """Run until killed."""
    task = Task.from_arguments()
    work: ColumnWork | Work = ColumnWork(task) if "--columns" in sys.argv else Work(task)
    consumer = Consumer(
        {
            "bootstrap.servers": task.bootstrap_servers,
            "group.id": task.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 20,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": task.bootstrap_servers,
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "lz4",
            "batch.num.messages": 10_000,
            "queue.buffering.max.messages": 500_000,
        }
    )
    failed: list[KafkaError] = []

    def report(error: KafkaError | None, _: object) -> None:
        if error is not None:
            failed.append(error)

    consumer.subscribe([task.input_topic])
    while not failed:
        messages = consumer.consume(BATCH, timeout=0.1)
        values = work.many([message.value() for message in messages])
        for message, value in zip(messages, values, strict=True):
            producer.produce(task.output_topic, value, message.key(), on_delivery=report)
        producer.flush()
        if messages:
            consumer.commit(asynchronous=False)


if __name__ == "__main__":
    main()
