"""The page in the main thread, the follower in another. If one ends, so does the other."""

from runtime.http_server import HttpServer, OtherThread, door_limits, listen
from runtime.logs import get_logger
from runtime.process import on_stop_signal

from review_desk import bootstrap
from review_desk.settings import ReviewDeskSettings

_log = get_logger(__name__)


def serve(settings: ReviewDeskSettings) -> None:
    """Run until SIGTERM, then finish what was begun.

    Raises:
        SettingsError: The key, the tokens or a port is not usable.
        ProducerBroken: Nothing can be written to Kafka any more.
        Exception: Whatever stopped the follower.
    """
    shared = bootstrap.share(settings)
    limits = door_limits(settings, shared.metrics)
    on_stop_signal(shared.stop.set)
    listening = listen(
        settings.desk_host, settings.desk_port, "RXTRACT_DESK_PORT", settings.desk_port_file, backlog=256
    )
    with bootstrap.health_server(shared) as health:
        _log.info("started", health_port=health.port, http_port=listening.getsockname()[1], people=len(shared.people))
        registry = bootstrap.make_registry(settings)
        thread = OtherThread("follower", bootstrap.follower(shared, registry).run, shared.stop)
        thread.start()
        app = bootstrap.application(
            shared,
            bootstrap.requests(shared, registry),
            bootstrap.publisher(shared, registry),
            bootstrap.access_log(shared, registry),
        )
        HttpServer(
            app,
            shared.stop,
            shared.http_liveness,
            shared.readiness,
            **limits,
            limit_concurrency=500,
        ).run([listening])
        shared.stop.set()
        thread.finish()
        shared.downfall.check()
    _log.info("stopped")
