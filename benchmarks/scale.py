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


def main() -> None:
    """Print the tables as Markdown."""
    print(
        "| Notes/s (peak x3) | ingestor | extractor | drift-watcher | scorekeeper, one process | broker cores, before replication | partitions | ₹ of machines for 1,000 notes |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for rate in RATES:
        cores = {name: needed(name, rate) for name in NOTE_S}
        partitions = max(12, 12 * ceil(2 * cores["extractor"] / 12))
        alone = f"{100 * rate * NOTE_S['scorekeeper']:.3g} % of a core"
        rupees = sum(cores.values()) * RUPEES_A_CORE_HOUR / (rate * 3.6)
        print(
            f"| {rate:,} | {cores['ingestor']} | {cores['extractor']} | {cores['drift-watcher']} | {alone} | {cores['kafka']} "
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
