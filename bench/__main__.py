"""python -m bench is seqbench."""

from bench.cli import main

main()
