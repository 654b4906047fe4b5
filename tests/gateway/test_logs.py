"""What the server logs, as a collector reads it."""

import json
import logging
import subprocess
import sys
from datetime import datetime, timedelta, timezone

import pytest

SAY = """
import logging, sys
from framecast.gateway.logs import LogFormat, LogLevel, write_log
write_log(LogFormat(sys.argv[1]), LogLevel(sys.argv[2]))
log = logging.getLogger("framecast.test")
log.debug("too little")
logging.getLogger("grpc._cython.cygrpc").error("Invalid encoding on %s", b"Bearer \\xff")
log.info("一只小猫 %s\\nplays", 7)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke")
"""


def said(*arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SAY, *arguments],
        env={"TZ": "Asia/Kathmandu", "PYTHONPATH": ":".join(filter(None, sys.path)), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=True,
    )
    return done.stderr.splitlines()


def utc(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)


def test_json_is_an_entry_a_line() -> None:
    first, second = map(json.loads, said("json", "info"))
    assert (first["level"], first["logger"], first["message"]) == ("INFO", "framecast.test", "一只小猫 7\nplays")
    assert abs(utc(first["time"]) - datetime.now(timezone.utc)) < timedelta(minutes=5), "not Nepal's time"
    assert "exception" not in first
    assert second["message"] == "it broke"
    assert second["exception"].endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("level", "lines"), [("debug", 3), ("info", 2), ("error", 1)])
def test_levels(level: str, lines: int) -> None:
    assert len(said("json", level)) == lines


def test_text_begins_with_the_time_in_utc() -> None:
    when, level, logger, *_ = said("text", "info")[0].split()
    assert abs(utc(when) - datetime.now(timezone.utc)) < timedelta(minutes=5)
    assert (level, logger) == (logging.getLevelName(logging.INFO), "framecast.test")
