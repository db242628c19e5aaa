"""How well it judges: `python -m tests.quality`."""
