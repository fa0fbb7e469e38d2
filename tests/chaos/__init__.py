"""Faults injected into real runs: `python -m tests.chaos NAME [--trials N] [--seed N] [--short]`."""
