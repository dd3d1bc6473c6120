"""The diagrams of the design, made from the topic files, the chart's values and the Prometheus configuration."""
