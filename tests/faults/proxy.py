"""A TCP proxy of ours between clients and one server: adds latency, cuts all connections, refuses new ones, or swallows what passes."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

CHUNK_BYTES = 64 << 10


class Proxy:
    """Listens on a loopback port, and passes on to another, in a thread of its own.

    Args:
        port: Where it listens.
        target: The port of the server on the same machine.
    """

    def __init__(self, port: int, target: int) -> None:
        self.latency_s = 0.0
        self.silent = False
        self.closed = False
        self.connections = 0
        self._port, self._target = port, target
        self._loop = asyncio.new_event_loop()
        self._pairs: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._thread = threading.Thread(target=self._run)
        self._listening = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(10), "the proxy does not listen"
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def cut(self) -> int:
        """Cut all connections as a firewall does that forgot them; how many there were."""
        return asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    async def _cut(self) -> int:
        pairs = dict(self._pairs)
        for ends in pairs.values():
            for end in ends:
                end.transport.abort()  # what is under way is lost, as on a wire
        await asyncio.gather(*pairs, return_exceptions=True)
        return len(pairs)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._meet, "127.0.0.1", self._port))
        self._listening.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(self._cut())
        self._loop.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pair = asyncio.current_task()
        assert pair is not None
        ends = self._pairs[pair] = [writer]
        try:
            if self.closed:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(far_writer)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass(reader, far_writer))
                ways.create_task(self._pass(far_reader, writer))
        except* OSError:
            pass
        finally:
            del self._pairs[pair]
            for end in ends:
                end.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Each chunk is passed on after the latency, in order, without holding up those that follow."""
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(256)
        sending = asyncio.create_task(self._send(waiting, sink))
        try:
            while chunk := await source.read(CHUNK_BYTES):
                await waiting.put((self._loop.time() + self.latency_s, chunk))
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
        raise ConnectionResetError  # one way is over: so is the other

    async def _send(self, waiting: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while True:
            due_s, chunk = await waiting.get()
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            while self.silent and not sink.transport.is_closing():  # noqa: ASYNC110 - another thread decides
                await asyncio.sleep(0.05)
            sink.write(chunk)
            await sink.drain()
