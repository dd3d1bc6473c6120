"""The usual way with Faust: one event at a time, ``await topic.send()``; the settings that its documentation offers for speed."""

import asyncio
import logging
import tempfile
from typing import Any

import faust
from stream_work import Task, Work


def application(task: Task, work: Work) -> faust.App:
    """Make the application."""
    app = faust.App(
        task.group,
        broker=f"kafka://{task.bootstrap_servers}",
        store="memory://",
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="earliest",
        broker_max_poll_records=2_000,
        stream_buffer_maxsize=16_384,
        stream_wait_empty=False,
        producer_linger=0.005,
        producer_max_batch_size=1 << 20,
        producer_compression_type="lz4",
        cython_optimizations=True,
        key_serializer="raw",
        value_serializer="raw",
        debug=False,
    )
    source = app.topic(task.input_topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    target = app.topic(
        task.output_topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )

    @app.agent(source)
    async def extract(stream: faust.StreamT[Any]) -> None:
        async for event in stream.events():
            await target.send(key=event.key, value=work.one(event.value))

    return app


async def run(task: Task, work: Work) -> None:
    """Run until killed."""
    await application(task, work).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    given = Task.from_arguments()
    asyncio.run(run(given, Work(given)))
