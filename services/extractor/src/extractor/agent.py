"""The Faust side of the service: one agent whose body hands every batch to the handler."""

from typing import Any

from faust import Stream
from runtime.faust_batch import BatchApp


def declare(app: BatchApp) -> None:
    """Declare the agent that reads accepted notes."""

    @app.agent(app.batches, name="extract")
    async def extract(stream: Stream[Any]) -> None:
        async for event in stream.noack().events():
            app.handle(event)
