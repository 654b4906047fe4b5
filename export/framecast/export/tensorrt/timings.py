"""The timing cache: how long kernels took in earlier builds, so that the next one need not try them again."""

from pathlib import Path
from typing import Any

from framecast.engines.tensorrt_flavour import TENSORRT
from framecast.export.tensorrt.api import IBuilderConfig
from framecast.export.tensorrt.cache import write_atomically
from framecast.export.tensorrt.plan import Request


class Timings:
    """A timing cache file, or none.

    Args:
        path: of the file; None keeps no timings.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def use(self, config: IBuilderConfig) -> None:
        """Gives the builder the timings; an empty cache where there are none or TensorRT does not take them."""
        if self._path is None:
            return
        kept = self._path.read_bytes() if self._path.is_file() else b""
        for content in (kept, b""):
            cache = config.create_timing_cache(content)
            if cache is not None and config.set_timing_cache(cache, False):
                return

    def keep(self, config: IBuilderConfig) -> None:
        """Writes what the builder knows now."""
        cache = config.get_timing_cache() if self._path is not None else None
        if self._path is not None and cache is not None:
            memory: Any = cache.serialize()
            write_atomically(self._path, bytes(memory))


def timings_of(folder: Path, request: Request) -> Timings:
    """One file a TensorRT version and GPU: timings of another are no use. TensorRT-RTX times nothing when it builds."""
    if request.flavour != TENSORRT:
        return Timings(None)
    return Timings(folder / f"{request.version}-{request.target.replace(' ', '-')}.timings")
