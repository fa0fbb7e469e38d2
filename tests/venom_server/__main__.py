"""`python -m tests.venom_server`: the stand-in by itself, to try things by hand."""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

from tests.venom_server.ollama import OllamaServer, OllamaState
from tests.venom_server.server import VenomServer
from tests.venom_server.state import Switches, VenomState


def main() -> None:
    """Serve until interrupted; the first line on stdout is the address."""
    parser = argparse.ArgumentParser(prog="python -m tests.venom_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--models-dir", type=Path, help="default: a new temporary folder")
    parser.add_argument("--ollama", action="store_true", help="its Ollama too; the third line is its address")
    parser.add_argument("--model", action="append", help="a model that the runtime has; may be repeated")
    for flag in ("disabled", "remote", "older", "no-runtime", "no-deploy"):
        parser.add_argument(f"--{flag}", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        models_dir = asked.models_dir or Path(work) / "data" / "models"
        models_dir.mkdir(parents=True, exist_ok=True)
        state = VenomState(Path(work), models_dir)
        state.ollama += asked.model or []
        state.switches = Switches(
            academy=not asked.disabled,
            remote=asked.remote,
            older=asked.older,
            runtime_up=not asked.no_runtime,
            deploys=not asked.no_deploy,
        )
        with ExitStack() as stack:
            server = stack.enter_context(VenomServer(state, asked.port))
            sys.stdout.write(f"{server.url}\n{models_dir}\n")
            if asked.ollama:
                ollama = stack.enter_context(OllamaServer(OllamaState(state.ollama)))
                sys.stdout.write(f"{ollama.url}\n")
            sys.stdout.flush()
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                return


if __name__ == "__main__":
    main()
