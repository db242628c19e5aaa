"""How fast Tocsin is, beside what else could be built with the same parts; see `python -m tests.bench --help`."""
