"""What docs/scale.md says about size, from measured costs and a simulation: python benchmarks/scale.py.

The simulation: notes arrive at random (Poisson) at the partitions of one replica; it takes everything that waits, at most 500, works on
it for a fixed time and a time for each note, and begins again. Replicas share nothing, so the busiest one stands for all.
"""

import random
from dataclasses import dataclass
from math import ceil
from statistics import quantiles

# Processor time by `benchmarks/service_costs.py` on notes of 125 characters, seconds: a note in large batches, and what a batch costs beside.
# The higher of two runs under load counts.
NOTE_S = {"ingestor": 29e-6, "extractor": 76e-6, "drift-watcher": 17e-6, "scorekeeper": 82e-6, "kafka": 46e-6}
BATCH_S = {"extractor": 0.92e-3}
MOST_IN_A_BATCH = 500
PATH_S = 0.010
BUSY = 0.6
PEAK = 3
COPIES = 3
RUPEES_A_CORE_HOUR = 4.0
RATES = (10, 1_000, 100_000)


@dataclass(frozen=True)
class Seen:
    """What a simulated replica did."""

    p50_s: float
    p95_s: float
    p99_s: float
    busy: float
    most_waiting: int


def replica(rate: float, note_s: float, batch_s: float, seconds: float, seed: int = 1, pause_s: float = 0.0) -> Seen:
    """Simulate one replica that gets `rate` notes a second; it does nothing for the first `pause_s`, as after a rebalance."""
    chance = random.Random(seed)
    arrivals, now = [], 0.0
    while now < seconds:
        now += chance.expovariate(rate)
        arrivals.append(now)
    free_at, place, worked, waits, most = pause_s, 0, 0.0, [], 0
    while place < len(arrivals):
        free_at = max(free_at, arrivals[place])
        until = place
        while until < len(arrivals) and arrivals[until] <= free_at:
            until += 1
        most = max(most, until - place)
        until = min(until, place + MOST_IN_A_BATCH)
        spent = batch_s + note_s * (until - place)
        worked += spent
        free_at += spent
        waits += [free_at - arrived for arrived in arrivals[place:until]]
        place = until
    cut = quantiles(waits, n=100)
    return Seen(cut[49], cut[94], cut[98], worked / max(free_at, seconds), most)


def needed(name: str, rate: float) -> int:
    """Cores at the peak, so that each is busy at most `BUSY` of the time."""
    return max(1, ceil(rate * PEAK * NOTE_S[name] / BUSY))


def scorekeeper_cores(rate: float) -> float:
    """What the one scorekeeper has to do at the peak: it is one process, so more than one core cannot be."""
    return rate * PEAK * NOTE_S["scorekeeper"]


def alone(rate: float) -> str:
    """The same in words."""
    cores = scorekeeper_cores(rate)
    return f"{100 * cores:.3g} % of a core" if cores <= 1 else f"cannot be: {cores:.1f} cores"


def machines(rate: float) -> int:
    """Cores that are paid for: the services, the scorekeeper where it can be, and every copy that the brokers keep."""
    services = sum(needed(name, rate) for name in NOTE_S if name not in {"scorekeeper", "kafka"})
    return services + (scorekeeper_cores(rate) <= 1) + COPIES * needed("kafka", rate)


def main() -> None:
    """Print the tables as Markdown."""
    print(
        f"| Notes/s (peak x3) | ingestor | extractor | drift-watcher | scorekeeper, one process | broker cores, {COPIES} copies | partitions | ₹ of machines for 1,000 notes |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for rate in RATES:
        cores = {name: needed(name, rate) for name in NOTE_S}
        partitions = max(12, 12 * ceil(2 * cores["extractor"] / 12))
        rupees = machines(rate) * RUPEES_A_CORE_HOUR / (rate * 3.6)
        print(
            f"| {rate:,} | {cores['ingestor']} | {cores['extractor']} | {cores['drift-watcher']} | {alone(rate)} | {COPIES * cores['kafka']} "
            f"| {partitions} | {rupees:.3g} |"
        )
    print(
        "\n| 5,000 notes/s on | p50 | p95 | p99 | busy | most that waited | the same after a pause of 15 s: most that waited, p99 |"
    )
    print("|---|---|---|---|---|---|---|")
    for replicas in (1, 2, 3, 6):
        one = replica(5_000 / replicas, NOTE_S["extractor"], BATCH_S["extractor"], 30)
        paused = replica(5_000 / replicas, NOTE_S["extractor"], BATCH_S["extractor"], 60, pause_s=15)
        times = " | ".join(f"{1000 * (value + PATH_S):.0f} ms" for value in (one.p50_s, one.p95_s, one.p99_s))
        print(
            f"| {replicas} extractors | {times} | {100 * one.busy:.0f} % | {one.most_waiting * replicas:,} "
            f"| {paused.most_waiting * replicas:,}, {paused.p99_s:.1f} s |"
        )


if __name__ == "__main__":
    main()
