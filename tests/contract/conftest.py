"""A server that answers everything with one status, as a schema registry does or as any other server."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """Return a function that starts a server for a status and a body and returns its address."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, body: bytes | None = None) -> str:
        said = b'{"error_code": %d, "message": "no"}' % (status * 100 + 3) if body is None else body

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
