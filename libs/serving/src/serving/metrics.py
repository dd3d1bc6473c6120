"""What a process measures of the model and the rules that it serves."""

from runtime.service.metrics import Kind, MetricSpec

RELOAD_SECONDS = MetricSpec(
    "rxtract_model_reload_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time from the last promotion's or rollback's event to its model serving here.",
)
TAGGER_FAILURES = MetricSpec(
    "rxtract_tagger_failures_total", Kind.COUNTER, "failures", (), "Calls of the tagger that raised."
)
MODEL_INFO = MetricSpec(
    "rxtract_model_info", Kind.GAUGE, "", ("name", "version"), "1 for the model version that is served."
)
MODEL_SERIAL = MetricSpec(
    "rxtract_model_serial", Kind.GAUGE, "", (), "Serial of the served model; rises with each promotion or rollback."
)
MODEL_CHECK_AGE = MetricSpec(
    "rxtract_model_check_age_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time since the model registry last answered which model is champion.",
)
MODEL_LOADS = MetricSpec(
    "rxtract_model_loads_total",
    Kind.COUNTER,
    "loads",
    ("result",),
    "Models loaded: ok, cached (MLflow was down), refused (damaged or failed its smoke test), unavailable (none is there, or no memory).",
)
RULES_RELOAD_SECONDS = MetricSpec(
    "rxtract_rules_reload_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time from the last release's or rollback's event of rules to their serving here.",
)
RULES_INFO = MetricSpec(
    "rxtract_rules_info", Kind.GAUGE, "", ("name", "version"), "1 for the release of rules that is served."
)
RULES_SERIAL = MetricSpec(
    "rxtract_rules_serial",
    Kind.GAUGE,
    "",
    (),
    "Serial of the served rules; rises with each release or rollback; 0: those of this program, none were released.",
)
RULES_CHECK_AGE = MetricSpec(
    "rxtract_rules_check_age_seconds",
    Kind.GAUGE,
    "seconds",
    (),
    "Time since the model registry last answered which rules serve.",
)
RULES_LOADS = MetricSpec(
    "rxtract_rules_loads_total",
    Kind.COUNTER,
    "loads",
    ("result",),
    "Releases of rules loaded: ok, cached (MLflow was down), refused (damaged or failed its smoke test), unavailable (no memory, or nothing known).",
)


MODEL_METRICS: tuple[MetricSpec, ...] = (
    RELOAD_SECONDS,
    TAGGER_FAILURES,
    MODEL_INFO,
    MODEL_SERIAL,
    MODEL_CHECK_AGE,
    MODEL_LOADS,
    RULES_RELOAD_SECONDS,
    RULES_INFO,
    RULES_SERIAL,
    RULES_CHECK_AGE,
    RULES_LOADS,
)
"""All of them."""
