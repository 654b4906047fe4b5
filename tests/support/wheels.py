"""Wheels that tests look into without installing them: fetched once into build/, from the index that pip uses."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "build" / "tests" / "wheels"


def unpacked(*requirements: str) -> Path:
    """A folder with the packages, to be put on PYTHONPATH. Without the index the test fails; it is never skipped."""
    folder = FOLDER / f"{'+'.join(requirements).replace('==', '-')}-py{sys.version_info.major}{sys.version_info.minor}"
    if folder.is_dir():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        new = Path(scratch) / "new"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--retries", "2"]
        command += ["--target", str(new), *requirements]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.fail(
                f"{', '.join(requirements)} could not be fetched from the package index, so this contract was not "
                f"checked: {reason}"
            )
        try:
            new.rename(folder)
        except OSError:  # another test run was faster
            shutil.rmtree(new)
    return folder
