"""The champion in a process: loaded by alias, checked, tried on canary notes, swapped while it serves."""
