"""Which rows are held out: by seed, the same on every machine, and never the same prompt on both sides."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence


def held_out(prompts: Sequence[bytes], fraction: float, seed: int) -> list[bool]:
    """Say for each row whether it is held out; `prompts` has one key per row, equal for equal prompts.

    About `fraction` of the rows are held out: never more, unless one row is needed; at least one when there
    are two different prompts; none when there is only one. The choice depends on the prompts, not on their
    order.

    Raises:
        ValueError: `fraction` is not in [0, 1).
    """
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"fraction {fraction} is not in [0, 1)")
    sizes = Counter(prompts)
    if fraction == 0.0 or len(sizes) < 2:
        return [False] * len(prompts)
    salt = str(seed).encode()
    order = sorted(sizes, key=lambda prompt: hashlib.blake2b(prompt, key=salt, digest_size=16).digest())
    wanted = max(1, min(round(len(prompts) * fraction), len(prompts) - 1))
    chosen: set[bytes] = set()
    for prompt in order:
        if sizes[prompt] <= wanted:
            chosen.add(prompt)
            wanted -= sizes[prompt]
        if wanted == 0:
            break
    if not chosen:
        chosen.add(min(order, key=lambda prompt: sizes[prompt]))
    return [prompt in chosen for prompt in prompts]
