"""Venom servers: connections to them, adapters placed in their models folder, activation and the way back.

A server finds adapters by directory and takes no uploads, so a push needs its models folder here: on the same
computer, or mounted.
"""
