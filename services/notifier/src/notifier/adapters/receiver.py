"""One receiver over HTTP: some deliveries at once, a hard limit for each, no redirects, no proxy, nothing read of its answers."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Sequence

import httpx

from notifier.domain.endpoints import Endpoint
from notifier.domain.messages import Message
from notifier.domain.signing import headers
from notifier.domain.verdicts import Answer, Result, answer_of


class Receiver:
    """Posts to one endpoint. Belongs to one thread, in which it must be closed.

    Args:
        endpoint: Where, and how it is signed.
        timeout_s: From connecting to the head of the answer.
        at_once: Deliveries under way.
        stop: What is not begun when it is set is not posted.
        clock: UTC seconds.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timeout_s: float,
        at_once: int,
        stop: threading.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._stop = stop
        self._clock = clock
        self._runner: asyncio.Runner | None = None
        self._client: httpx.AsyncClient | None = None

    def __call__(self, messages: Sequence[Message]) -> list[Answer | None]:
        """Try each once; None where nothing was tried: we were stopped, or the receiver is away or gone."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._all(messages))

    def close(self) -> None:
        """Let the connections go."""
        if self._runner is not None:
            if self._client is not None:
                self._runner.run(self._client.aclose())
            self._runner.close()

    async def _all(self, messages: Sequence[Message]) -> list[Answer | None]:
        answers: list[Answer | None] = [None] * len(messages)
        waiting = iter(range(len(messages)))
        over = asyncio.Event()

        async def take() -> None:
            for place in waiting:
                if over.is_set() or self._stop.is_set():
                    return
                answer = answers[place] = await self._one(messages[place])
                if answer.result in {Result.AWAY, Result.GONE}:
                    over.set()

        await asyncio.gather(*(take() for _ in range(min(self._at_once, len(messages)))))
        return answers

    async def _one(self, message: Message) -> Answer:
        delivery = message.delivery.delivery_id
        signed = headers(self._endpoint.secrets, delivery, int(self._clock()), message.body)
        more = {"content-type": "application/json", "user-agent": "rxtract-webhooks/1"}
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._opened().stream(
                    "POST", self._endpoint.url, content=message.body, headers=signed | more
                ) as response,
            ):  # streamed: its body is nobody's
                return answer_of(response.status_code, response.headers.get("retry-after", ""))
        except TimeoutError:
            return Answer(Result.FAILED, "timeout")
        except (httpx.ConnectError, httpx.ProxyError, httpx.UnsupportedProtocol, ssl.SSLError, OSError) as error:
            return Answer(Result.AWAY, type(error).__name__)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Answer(Result.FAILED, type(error).__name__)

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=self._at_once, max_keepalive_connections=self._at_once)
            self._client = httpx.AsyncClient(
                follow_redirects=False,
                trust_env=False,  # a proxy of the environment would see health data
                timeout=None,  # noqa: S113 - one limit for all of it is in `_one`
                limits=limits,
                verify=ssl.create_default_context(),  # honours SSL_CERT_FILE, as every client of ours
            )
        return self._client
