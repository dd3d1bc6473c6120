"""What a trainer measures beside what every service does."""

from runtime.service.metrics import METRICS as SHARED
from runtime.service.metrics import Kind, MetricSpec

RUNS = MetricSpec(
    "rxtract_trainer_orders_total",
    Kind.COUNTER,
    "orders",
    ("action", "result"),
    "Orders that came to an end, by the event.",
)
DUPLICATES = MetricSpec(
    "rxtract_trainer_duplicates_total", Kind.COUNTER, "commands", (), "Deliveries of a command beyond its first."
)
OPEN = MetricSpec("rxtract_trainer_open_orders", Kind.GAUGE, "orders", (), "Orders that have no end yet.")
DEFERRED = MetricSpec("rxtract_trainer_deferred_orders", Kind.GAUGE, "orders", (), "Open orders that wait for labels.")
MISSING = MetricSpec(
    "rxtract_trainer_missing_labels",
    Kind.GAUGE,
    "notes",
    (),
    "Labelled notes that deferred trainings wait for, at most.",
)
SECONDS = MetricSpec("rxtract_trainer_job_seconds", Kind.GAUGE, "seconds", (), "How long the last job took.")
GATE = MetricSpec("rxtract_gate_decisions_total", Kind.COUNTER, "decisions", ("decision",), "What the gate said.")
WAITING = MetricSpec(
    "rxtract_trainer_waiting", Kind.GAUGE, "", ("for_what",), "1 while MLflow, Redis or the broker is waited for."
)
CHAMPION = MetricSpec("rxtract_champion_serial", Kind.GAUGE, "", (), "Serial of the champion as last seen.")

RULES_SERIAL = MetricSpec(
    "rxtract_rules_serving_serial",
    Kind.GAUGE,
    "",
    (),
    "Serial of the rules that serve as last seen; 0: those of the programs, none were released.",
)

METRICS: tuple[MetricSpec, ...] = (
    *SHARED,
    RUNS,
    DUPLICATES,
    OPEN,
    DEFERRED,
    MISSING,
    SECONDS,
    GATE,
    WAITING,
    CHAMPION,
    RULES_SERIAL,
)
