"""The Faust side of the service: one agent whose body hands every batch to the handler."""

from typing import Any

from faust.types import StreamT
from runtime.stream.faust.app import BatchApp


def declare(app: BatchApp) -> None:
    """Declare the agent that reads accepted notes."""

    @app.agent(app.batches, name="extract")
    async def extract(stream: StreamT[Any]) -> None:
        await app.handle_all(stream)
