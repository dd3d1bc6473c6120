"""Takes notes in by Kafka and by HTTP, checks and pseudonymises them."""
