"""The process in which worlds run: `run.py` starts it, once for each core and once for each fault."""

import gc
import json
import logging
import sys

from tests.simulation import kernel

kernel.install_clock()  # first: the defaults of what is imported below keep the clock that they find

import structlog  # noqa: E402

from tests.simulation import faust_process, readers, services  # noqa: E402
from tests.simulation.story import printed  # noqa: E402
from tests.simulation.world import World  # noqa: E402


def main() -> None:
    """Run the worlds that the first argument asks for; prints what failed as JSON, or one world's story."""
    order = json.loads(sys.argv[1])
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    services.install()
    readers.install()
    faust_process.install()
    if order.get("story"):
        sys.exit(print_story(order["first"]))
    gc.freeze()
    failures: dict[int, str] = {}
    count = 0
    # Those that once failed first: a fault that they alone show is found at once.
    for seed in (*order["also"], *range(order["first"], order["end"], order["step"])):
        count += 1
        if (why := failure_of(World(seed))) is not None:
            failures[seed] = why
            if order["stop_at_first"]:
                break
    print(json.dumps({"seeds": count, "failures": failures}))


def failure_of(world: World) -> str | None:
    """Run a world; what was broken, in one line."""
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the world failed
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
    return None


def print_story(seed: int) -> int:
    """One world event by event."""
    world = World(seed, verbose=True)
    why = failure_of(world)
    for line in printed(world.story):
        print(line)
    print(f"seed {seed}: {'all that was promised held' if why is None else why}")
    return 0 if why is None else 1


if __name__ == "__main__":
    main()
