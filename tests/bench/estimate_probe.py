"""A trainer that says at its end how much memory it had at its peak.

    python -P -m tests.bench.estimate_probe RUN_DIR

Prints `{"peak_rss_bytes": …, "exit_code": …}`; the peak is the kernel's own count for this process (VmHWM).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from trainers.__main__ import work
from trainers.session import run_job

if __name__ == "__main__":
    code = run_job(Path(sys.argv[1]), 1, work)
    kilobytes = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert kilobytes is not None
    sys.stdout.write(json.dumps({"peak_rss_bytes": int(kilobytes[1]) * 1024, "exit_code": code}) + "\n")
