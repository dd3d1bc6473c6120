"""Real Kafka, schema registry, Redis and MLflow as child processes."""
