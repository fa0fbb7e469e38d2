"""Datasets: files of many kinds become checked, immutable rows with a content hash.

Owns reading, recognising, checking, splitting and storing rows. Refuses to know models, tokens and screens.
"""
