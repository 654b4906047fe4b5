"""One client, one video at a time: where the time goes."""

from typing import Any

from framecast.bench.summary import PARTS


def waterfall(results: dict[str, Any]) -> list[tuple[str, float]]:
    """(part, seconds) of the usual video in the order they happen, from the figures of `summary`.

    The stages overlap where a video has several segments, so they may add up to more than the latency.
    """
    means = results.get("stage_durations_mean", {})
    return [(part, means[part]) for part in PARTS if part in means]
