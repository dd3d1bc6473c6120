"""What an operator does with models: orders to the trainer, and what the registry says about versions."""
