"""The door in the main thread, what keeps the champion in another. If one ends, so does the other."""

from runtime.http_server import HttpServer, OtherThread, door_limits, listen
from runtime.logs import get_logger
from runtime.process import on_stop_signal

from answerer import bootstrap
from answerer.settings import AnswererSettings

_log = get_logger(__name__)


def serve(settings: AnswererSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The tokens, the address or the port is not usable.
        ReadingBroken: What tells of promotions could not be read for too long.
    """
    shared = bootstrap.share(settings)
    limits = door_limits(settings, shared.metrics)
    on_stop_signal(shared.stop.set)
    listening = listen(
        settings.http_host, settings.http_port, "RXTRACT_HTTP_PORT", settings.http_port_file, backlog=1024
    )
    with bootstrap.health_server(shared) as health:
        _log.info("started", health_port=health.port, http_port=listening.getsockname()[1])
        thread = OtherThread("champion", lambda: bootstrap.keep_champion(shared), shared.stop)
        thread.start()
        HttpServer(
            bootstrap.http_door(shared),
            shared.stop,
            shared.http_liveness,
            shared.readiness,
            **limits,
            limit_concurrency=1_000,
            h11_max_incomplete_event_size=65_536,
        ).run([listening])
        shared.stop.set()
        thread.finish()
    _log.info("stopped")
