"""From rows to numbers that may be compared: lines with intervals, pairs, letters, failures, checks."""
