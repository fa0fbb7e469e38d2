"""The set-up of Academy Desktop from a checkout: standard library only, because nothing else is there yet."""
