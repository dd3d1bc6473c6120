"""What the desk decides, without any client: spans, stages of a task, agreement, who sees which note."""
