"""`python -m pytest -p seqbench` from a checkout, where nothing is installed."""

pytest_plugins = ["bench.plugin"]
