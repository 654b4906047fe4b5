"""One client, one video at a time: where the time goes."""

from typing import Any

from framecast.bench.summary import PARTS

_NOTICED = 0.02  # of the latency


def waterfall(results: dict[str, Any]) -> list[tuple[str, float]]:
    """(part, seconds) of the usual video in the order they happen, from the figures of `summary`.

    The stages overlap where a video has several segments, so they may add up to more than the latency. Where they add
    up to less, what is left was waiting in the server, for the denoiser's next step or for a decoder at work.
    """
    means = results.get("stage_durations_mean", {})
    parts = [(part, float(means[part])) for part in PARTS if part in means]
    left = (results.get("latency_mean") or 0.0) - sum(seconds for _, seconds in parts)
    if parts and left > _NOTICED * results["latency_mean"]:
        parts.insert(len(parts) - (parts[-1][0] == "wire"), ("waiting", left))
    return parts
