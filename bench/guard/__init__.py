"""Regression checks: what is kept of a model, what is measured again, and what the difference says."""
