"""The kernels themselves, run by Triton's interpreter: it excludes the compiler, so it has a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).parent / "interpreted"


def test_kernels_equal_plain_torch() -> None:
    files = sorted(CASES.glob("cases_*.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--confcutdir", str(CASES)]
    done = subprocess.run(
        [*command, *map(str, files)],
        cwd=CASES.parents[2],
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
