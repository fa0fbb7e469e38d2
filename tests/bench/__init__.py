"""Benchmarks, run by name from the checkout: `python -m tests.bench NAME [--short]`."""
