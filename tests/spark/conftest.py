"""A Spark session with two executors on this machine. `make spark-test` brings pyspark; without it these tests are left out."""

import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def pyspark():
    return pytest.importorskip("pyspark", reason="no pyspark: make spark-test brings it")


@pytest.fixture(scope="session")
def java():
    """A Java with what Spark needs: the embedded stack's own is cut down to what Kafka needs."""
    from embedded_stack.java import candidates

    found = [path for path in candidates() if (path.resolve().parents[1] / "jmods").is_dir() or _has_vectors(path)]
    if not found:
        pytest.fail("no Java with jdk.incubator.vector: install openjdk-17-jre-headless, or set JAVA_HOME")
    return found[0].resolve().parents[1]


def _has_vectors(path):
    import subprocess

    said = subprocess.run([path, "--list-modules"], capture_output=True, text=True, timeout=120, check=False).stdout
    return "jdk.incubator.vector" in said


@pytest.fixture
def session(pyspark, java, monkeypatch):
    """Makes a session; its processes end with the test."""
    made = []

    def _make(master, python=sys.executable, **more):
        import warnings

        from pyspark.sql import SparkSession

        home = Path(pyspark.__file__).parent
        for name, value in {
            "JAVA_HOME": str(java),
            "SPARK_HOME": str(home),
            "PYSPARK_PYTHON": str(python),
            "PYSPARK_DRIVER_PYTHON": sys.executable,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYTHONWARNINGS": "ignore",
        }.items():
            monkeypatch.setenv(name, value)
        warnings.simplefilter("ignore", FutureWarning)
        builder = SparkSession.builder.master(master)
        settings = {
            "spark.ui.enabled": "false",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MILLIS",
            "spark.network.timeout": "600s",
            "spark.executor.heartbeatInterval": "60s",
            "spark.executorEnv.PYTHONPATH": str(home.parent),
            "spark.pyspark.python": str(python),
            **more,
        }
        for name, value in settings.items():
            builder = builder.config(name, value)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("OFF")
        made.append(spark)
        return spark

    yield _make
    for spark in made:
        gateway = spark.sparkContext._gateway
        spark.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)
        from pyspark import SparkContext

        SparkContext._gateway = SparkContext._jvm = None
