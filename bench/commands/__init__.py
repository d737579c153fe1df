"""What the larger commands do: a file each; `bench/cli.py` reads what was typed and calls them."""
