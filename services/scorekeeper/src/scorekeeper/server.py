"""The page in the main thread, the reader in another. If one ends, so does the other."""

from runtime.http_server import HttpServer, OtherThread, door_limits, listen
from runtime.logs import get_logger
from runtime.process import on_stop_signal

from scorekeeper import bootstrap
from scorekeeper.settings import ScorekeeperSettings

_log = get_logger(__name__)


def serve(settings: ScorekeeperSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: A setting, the folder or a port is not usable.
        Exception: Whatever stopped the reader.
    """
    shared = bootstrap.share(settings)
    limits = door_limits(settings, shared.metrics)
    app = bootstrap.application(shared)
    on_stop_signal(shared.stop.set)
    listening = listen(
        settings.score_host, settings.score_port, "RXTRACT_SCORE_PORT", settings.score_port_file, backlog=128
    )
    with bootstrap.health_server(shared) as health:
        _log.info("started", health_port=health.port, http_port=listening.getsockname()[1])
        thread = OtherThread("reader", lambda: bootstrap.read(shared), shared.stop)
        thread.start()
        HttpServer(
            app,
            shared.stop,
            shared.http_liveness,
            shared.readiness,
            **limits,
            limit_concurrency=200,
        ).run([listening])
        shared.stop.set()
        thread.finish()
    _log.info("stopped")
