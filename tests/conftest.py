from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A shell starts background work with Ctrl-C ignored, and children would inherit that: tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
