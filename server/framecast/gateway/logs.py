"""The server's log, for people or as JSON, an entry a line; times are UTC."""

import json
import logging
import time
from enum import Enum


class LogFormat(str, Enum):
    """How an entry is written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(str, Enum):
    """The least that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Text(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format, default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"


class _Json(_Text):
    """time, level, logger and message; with a traceback in ``exception`` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)  # in ASCII, whatever stderr is written in


def write_log(form: LogFormat = LogFormat.TEXT, level: LogLevel = LogLevel.INFO) -> None:
    """From now on the process's entries go to stderr, unless it has a log already."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if form is LogFormat.JSON else _Text("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.value.upper(), handlers=[handler])
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_no_metadata)


def _is_no_metadata(record: logging.LogRecord) -> bool:
    """gRPC logs metadata that are no UTF-8 as they are, a token perhaps, and their caller is refused anyway."""
    return not record.getMessage().startswith("Invalid encoding on")
