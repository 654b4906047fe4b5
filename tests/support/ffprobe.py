"""ffprobe's view of a movie."""

import json
import subprocess
from pathlib import Path


def probe_video(path: Path) -> dict[str, str]:
    """The movie's only stream as ffprobe describes it, its frames counted by decoding."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)]
    streams = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["streams"]
    assert len(streams) == 1
    stream: dict[str, str] = streams[0]
    return stream
