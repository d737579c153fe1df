"""The contest: suites, trials, training, probes, clocks and records."""
