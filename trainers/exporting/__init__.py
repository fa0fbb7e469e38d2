"""Exports of a trained adapter, and the proofs that they behave like the model that was trained."""
