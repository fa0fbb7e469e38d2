from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _nothing_left_for_other_threads() -> Iterator[None]:
    """What is left of one test goes in this thread: a Qt object must not be collected in another one."""
    yield
    gc.collect()
    gc.freeze()  # what is still there stays, mostly modules: not looked at again and again
