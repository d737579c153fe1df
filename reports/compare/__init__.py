"""Models of a run side by side, and two runs against each other."""
