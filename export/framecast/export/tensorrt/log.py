"""TensorRT's messages: to `logging`, and the errors kept for the sentence that a failed build ends with."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from framecast.export.tensorrt.api import BuilderBindings

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_loggers: dict[int, Any] = {}


class Errors:
    """The errors of the build that runs, oldest first."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self._building = threading.Lock()

    @contextmanager
    def fresh(self) -> Iterator[list[str]]:
        """Those of one build. Builds of a process take turns: TensorRT does not say which of them an error is of."""
        with self._building:
            self.messages = []
            yield self.messages


def logger_of(bindings: BuilderBindings) -> Any:
    """The process's logger for these bindings, with the attribute `errors`.

    TensorRT keeps a pointer to the first logger it is given and uses it for good, so there is one a process and it is
    never let go.
    """
    with _lock:
        if id(bindings) not in _loggers:
            _loggers[id(bindings)] = _logger_type(bindings)()
        return _loggers[id(bindings)]


def _logger_type(bindings: BuilderBindings) -> type[Any]:
    severity = bindings.ILogger.Severity
    levels = {
        severity.INTERNAL_ERROR: logging.ERROR,
        severity.ERROR: logging.ERROR,
        severity.WARNING: logging.INFO,
        severity.INFO: logging.DEBUG,
        severity.VERBOSE: logging.NOTSET,
    }

    class Logger(bindings.ILogger):  # type: ignore[misc, name-defined]  # known only when TensorRT is there
        def __init__(self) -> None:
            bindings.ILogger.__init__(self)
            self.errors = Errors()

        def log(self, severity: Any, msg: str) -> None:
            level = levels.get(severity, logging.ERROR)
            if level == logging.ERROR:
                self.errors.messages.append(msg)
            if level:
                _log.log(min(level, logging.INFO), "%s", msg)  # an error is raised, or was none

    return Logger
