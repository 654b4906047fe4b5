"""What is written beside every figure, so that somebody else can judge it."""

import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from framecast.bench.telemetry.nvml import open_gpus

_PACKAGES = (
    *("framecast", "grpcio", "numpy", "onnxruntime", "tritonclient", "nvidia-pytriton", "torch", "tensorrt"),
    *("mlcommons_loadgen", "nvidia-ml-py", "psutil", "matplotlib", "diffusers"),
)
MOST_PARTS = 20
"""Of a nested object that a table shows; LoadGen's summary has fifty and is for the JSON."""
STEERING = tuple(f"FRAMECAST_{name}" for name in ("BATCHER", "ENGINE", "FLAVOUR", "KERNELS_OFF", "PRECISION"))
"""Variables that change what is measured."""
SERVING = "FRAMECAST_SERVING"
"""Variable in which `framecast serve` tells the command that it runs how it was started itself."""
_OF_MANY = (
    *("request_rate", "keeps_up", "pace", "throughput_qps", "latency_median", "latency_p50", "latency_p95"),
    *("latency_p99", "ttff_ms", "ttff_ms_p95", "ttff_p95", "slo_attainment_rate", "goodput_qps", "refused_requests"),
    *("refused_rate", "state", "reason"),
)
"""Of a load's many figures those that go into a table of loads."""


@dataclass(frozen=True)
class Record:
    """One run of a benchmark.

    Attributes:
        benchmark: its name.
        results: figures by name.
        samples: the raw measurements.
        settings: what was asked for, beyond what the command says.
        machine, versions, commit, command, time: where, with what, of what, how and when (UTC).
        environment: the variables that steer Framecast, as they were.
    """

    benchmark: str
    results: Mapping[str, Any]
    samples: Any
    settings: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=lambda: machine())
    versions: Mapping[str, str] = field(default_factory=lambda: versions())
    commit: str = field(default_factory=lambda: commit())
    command: str = field(default_factory=lambda: command())
    time: str = field(default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds"))
    environment: Mapping[str, str] = field(default_factory=lambda: environment())

    def to_json(self) -> str:
        """One JSON object, one line. Raises ValueError for NaN and infinities, which JSON has not."""
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    def save(self, path: Path) -> None:
        """Writes indented JSON, and the figures as a Markdown table beside it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(asdict(self), ensure_ascii=False, allow_nan=False, indent=1)
        path.write_text(text + "\n", encoding="utf-8")
        table_beside(path).write_text(self.markdown(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Record":
        """Reads what `save` wrote. Raises ValueError when the file is not a record, OSError when it cannot be read."""
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not a benchmark's record: {error}") from None
        return cls.from_json(text, str(path))

    @classmethod
    def from_json(cls, text: str, name: str = "the text") -> "Record":
        """The inverse of `to_json`. Raises ValueError that says what is wrong."""
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{name} is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise ValueError(f"{name} is not a benchmark's record")
        for late in ("settings", "environment"):  # the first records had none
            found.setdefault(late, {})
        names = {each.name for each in fields(cls)}
        if set(found) != names:
            raise ValueError(f"{name} is not a benchmark's record: {sorted(names ^ set(found))} are missing or extra")
        kinds = {
            "benchmark": str,
            "results": dict,
            "settings": dict,
            "machine": dict,
            "versions": dict,
            "environment": dict,
        }
        for key, kind in {**kinds, "commit": str, "command": str, "time": str}.items():
            if not isinstance(found[key], kind):
                raise ValueError(f"{name}: {key} is not a {kind.__name__}")
        return cls(**found)

    def table(self) -> list[tuple[str, str]]:
        """The figures that are there, as text; an interval in brackets, refused percentiles by name in one row."""
        rows = []
        for name, value in self.results.items():
            if value is None or name.endswith("_interval"):
                continue
            if name == "refused_figures":
                value = [refused for refused in value if not refused.startswith("stage_")]
                name = "too few samples for"
            text = cell(value)
            low, high = self.results.get(f"{name}_interval") or (None, None)
            if low is not None or high is not None:
                text += f" ({cell(low)} to {cell(high)})"
            if text:
                rows.append((name, text))
        return rows

    def grid(self) -> tuple[list[str], list[list[str]]]:
        """What a record of several loads (`points`) or predictions (`rows`) has of each: names, and a row of text each.

        Both are empty for a record of one load. Names that no row has a value for are left out.
        """
        found = self.results.get("rows") or self.results.get("points") or []
        names = list(dict.fromkeys(name for row in found for name, value in row.items() if value is not None))
        if len(names) > len(_OF_MANY):
            names = [name for name in _OF_MANY if name in names]
        return names, [[cell(row.get(name)) for name in names] for row in found]

    def markdown(self) -> str:
        """Short tables of the figures under what they were measured with."""
        rows = [f"| {name} | {text} |" for name, text in self.table()]
        where = ", ".join(f"{name} {cell(value)}" for name, value in self.machine.items() if value != [])
        with_what = ", ".join(f"{name} {value}" for name, value in self.versions.items())
        lines = [
            f"# {self.benchmark}",
            "",
            f"{self.time}, commit {self.commit or 'unknown'}",
            "",
            f"    {' '.join([*(f'{name}={value}' for name, value in self.environment.items()), self.command])}",
        ]
        if served := self.settings.get("served"):
            lines += ["", f"served: {cell(served)}"]
        lines += ["", where + ".", with_what + ".", "", "| figure | value |", "|---|---|", *rows]
        names, each = self.grid()
        if each:
            table = [names, ["---"] * len(names), *each]
            lines += ["", *(f"| {' | '.join(texts)} |" for texts in table)]
        return "\n".join([*lines, ""])


def require_place(path: Path) -> None:
    """Raises ValueError where no record can be written: it is asked before anything is measured."""
    if path.suffix == ".md":
        raise ValueError(f"{path} is where the table beside a record goes; name the record, as in run.json")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        if path.exists():
            with path.open("ab"):
                return
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def default_place(benchmark: str) -> Path:
    """Where the record of a command goes that names no file: out/bench/<time>-<benchmark>.json."""
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H%M%SZ")
    return Path("out") / "bench" / f"{stamp}-{benchmark.replace(' ', '-')}.json"


def table_beside(path: Path) -> Path:
    """Where the table of the record at `path` goes: ``run.md`` beside ``run.json``, ``run.1.md`` beside ``run.1``."""
    return path.with_suffix(".md") if path.suffix == ".json" else path.with_name(f"{path.name}.md")


def environment() -> dict[str, str]:
    """Those of `STEERING` that are set. Others may hold tokens, and records are for everybody."""
    return {name: os.environ[name] for name in STEERING if name in os.environ}


def command() -> str:
    """The command that runs, with the `framecast serve … --` before it where that started it."""
    serving = shlex.split(os.environ.get(SERVING, ""))
    return " ".join(map(_told, filter(None, (serving, ["framecast", *sys.argv[1:]]))))


def _told(words: Sequence[str]) -> str:
    """A command line without its tokens: records are for everybody."""
    kept = [re.sub("^--token=.+", "--token=***", word) for word in words]
    after = [index for index, word in enumerate(kept[:-1], 1) if word == "--token"]
    return shlex.join("***" if index in after else word for index, word in enumerate(kept)).replace("'***'", "***")


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, memory in GiB, the load while measuring, and the GPUs by name."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    gpus = open_gpus()
    names = list(gpus.names) if gpus else []
    if gpus:
        gpus.close()
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "load_average": os.getloadavg()[0],
        "gpus": names,
    }


def versions() -> dict[str, str]:
    """Python and the packages that matter, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Of the working tree this runs from, ``-dirty`` when it is changed; empty outside one, as in an environment that
    lies in somebody's own.
    """
    here = Path(__file__)
    try:
        subprocess.run(
            ["git", "ls-files", "--error-unmatch", here.name],
            cwd=here.parent,
            capture_output=True,
            check=True,
            timeout=10,
        )
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here.parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return described.stdout.strip()


def cell(value: Any) -> str:
    """A figure for a table; lists and nested objects are left to the JSON unless they are flat and short."""
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        if len(value) > MOST_PARTS:
            return f"{len(value)} values"
        parts = [f"{name} {cell(part)}" for name, part in value.items() if isinstance(part, str | float | int)]
        return ", ".join(parts)
    if isinstance(value, list):
        return ", ".join(map(cell, value)) if all(not isinstance(v, Mapping | list) for v in value) else ""
    return str(value).replace("|", "\\|").replace("\n", " ")


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
