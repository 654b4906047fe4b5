"""The manifest of a served repository: what was exported, from what, and the SHA-256 of every file.

Engines are executable trust: a file is opened through `Manifest.verified`, which refuses one that has changed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from framecast.engines.engine import Engine, EngineOptions
from framecast.engines.gpus import require_gpu
from framecast.engines.load import load_engine, require_machine
from framecast.errors import InvalidRepository

FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class Graph:
    """One exported graph.

    Attributes:
        file: path inside the repository.
        engine: the runtime that loads it.
        precision: of weights and activations.
        opset: of the ONNX file.
        parity: how it compares with torch, for example ``{"max_abs_error": 2e-6}``; of a compiled engine, the ONNX file
            that it was made from.
        build: what a compiled engine was made from and how: its flavour, version, shapes, options.
    """

    file: str
    engine: str
    precision: str
    opset: int
    parity: Mapping[str, float] = field(default_factory=dict)
    build: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """See the module. `source` digests what went in, so that an export that would change nothing is skipped.

    Attributes:
        source: SHA-256 over the bundle, the exporter and its options.
        bundle: the bundle's name.
        versions: package name → version that exported.
        graphs: graph name → `Graph`.
        checks: whole-pipeline checks, for example the denoising trajectory against diffusers.
        files: path inside the repository → SHA-256.
    """

    source: str
    bundle: str
    versions: Mapping[str, str]
    graphs: Mapping[str, Graph]
    checks: Mapping[str, Mapping[str, float]]
    files: Mapping[str, str]
    format: int = FORMAT

    @staticmethod
    def is_one(root: Path) -> bool:
        """Whether `root` holds a served repository, of whichever version: others have a manifest.json too."""
        try:
            found = json.loads((root / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and {"source", "bundle", "graphs", "files"} <= set(found)

    def save(self, root: Path) -> None:
        """Writes `root`/manifest.json."""
        (root / FILE).write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, root: Path) -> "Manifest":
        """Reads `root`/manifest.json.

        Raises:
            InvalidRepository: it is missing, malformed, or of another format.
        """
        path = root / FILE
        try:
            fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if fields.get("format") != FORMAT:
                raise InvalidRepository(f"{path} has format {fields.get('format')}; this build reads {FORMAT}.")
            fields["graphs"] = {name: Graph(**graph) for name, graph in fields["graphs"].items()}
            return cls(**fields)
        except (FileNotFoundError, NotADirectoryError):
            raise InvalidRepository(f"{root} has no {FILE}; make it with `framecast export`.") from None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InvalidRepository(f"{path} is not a manifest: {error}.") from error

    def verified(self, root: Path, file: str) -> Path:
        """The path of `file` in the repository at `root`, its content checked.

        Raises:
            InvalidRepository: the file is unknown, missing or changed.
        """
        expected, path = self.files.get(file), root / file
        if expected is None:
            raise InvalidRepository(f"{file} is not listed in {root / FILE}.")
        if not path.is_file():
            raise InvalidRepository(f"{path} is missing; export the bundle again.")
        if sha256(path) != expected:
            raise InvalidRepository(f"{path} is not the file that was exported (SHA-256 differs); export again.")
        return path

    def verify(self, root: Path) -> None:
        """Checks every file. Raises InvalidRepository for the first that fails."""
        for file in self.files:
            self.verified(root, file)

    def require_machine(self) -> None:
        """Refuses what this machine cannot compute. Raises InvalidRepository."""
        for name, graph in self.graphs.items():
            require_machine(graph.engine, f"The graph {name} was compiled for {graph.engine}, which")
            if (graph.engine, graph.precision) == ("onnxruntime", "bf16"):  # its kernels for CPUs know no bfloat16
                require_gpu(f"The graph {name} is in bf16, which")

    def engine(self, root: Path, name: str, options: EngineOptions | None = None) -> Engine:
        """The engine of graph `name`. Raises InvalidRepository."""
        graph = self.graphs.get(name)
        if graph is None:
            raise InvalidRepository(f"{root / FILE} lists no graph {name!r}; it has {', '.join(self.graphs)}.")
        if (weights := f"{graph.file}.data") in self.files:  # of an ONNX file that is too large to hold them
            self.verified(root, weights)
        return load_engine(graph.engine, self.verified(root, graph.file), options)


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
