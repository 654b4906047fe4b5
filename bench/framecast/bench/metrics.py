"""Triton's Prometheus page: what the denoiser's batches really were while a load ran."""

import http.client
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from framecast.client.proxy import is_loopback

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)")
_BOUND = re.compile(r'le="([^"]+)"')
_PREFIX = "framecast_denoiser_"


@dataclass(frozen=True)
class DenoiserCounters:
    """Counters of the step batcher since Triton started.

    Attributes:
        steps: run.
        mixed: of which the batch held segments at different steps.
        seconds: in steps.
        rows: segments in all steps together.
        sizes: steps by upper bound of the batch size, not cumulative; the last bound is ``+Inf``.
    """

    steps: float = 0.0
    mixed: float = 0.0
    seconds: float = 0.0
    rows: float = 0.0
    sizes: Mapping[str, float] | None = None

    def since(self, before: "DenoiserCounters") -> "DenoiserCounters":
        """What was added after `before`."""
        sizes, old = self.sizes or {}, before.sizes or {}
        return DenoiserCounters(
            self.steps - before.steps,
            self.mixed - before.mixed,
            self.seconds - before.seconds,
            self.rows - before.rows,
            {bound: number - old.get(bound, 0.0) for bound, number in sizes.items()},
        )

    @property
    def mean_batch(self) -> float | None:
        """Segments a step; None without steps."""
        return self.rows / self.steps if self.steps else None

    @property
    def mean_step(self) -> float | None:
        """Seconds a step; None without steps."""
        return self.seconds / self.steps if self.steps else None


def require_page(url: str) -> None:
    """Raises ValueError for what is no page's address."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"--metrics-url: {url!r} is no http address")


def scrape(url: str, timeout: float = 5.0) -> DenoiserCounters:
    """Reads the page at `url` (http only).

    Raises:
        OSError: the page cannot be read, or is another's than Triton's.
        ValueError: `url` is not http.
    """
    require_page(url)
    try:
        with _opener(url).open(url, timeout=timeout) as page:
            text = page.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error or type(error).__name__
        raise OSError(f"--metrics-url: {url} cannot be read as a page: {reason}") from error
    if _PREFIX not in text:
        raise OSError(f"{url} has no counters of the denoiser: it is not the page of Triton, whose log names its port")
    return parse(text)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Without a proxy for this machine's own pages."""
    own = is_loopback(urlsplit(url).hostname or "")
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if own else []))


def parse(page: str) -> DenoiserCounters:
    """The denoiser's counters in a Prometheus text page; what is not there is 0."""
    values: dict[str, float] = {}
    cumulative: dict[str, float] = {}
    for line in page.splitlines():
        if (match := _LINE.match(line)) and match[1].startswith(_PREFIX):
            name, value = match[1].removeprefix(_PREFIX), float(match[3])
            if name == "batch_size_bucket" and (bound := _BOUND.search(match[2] or "")):
                cumulative[bound[1]] = cumulative.get(bound[1], 0.0) + value
            else:
                values[name] = values.get(name, 0.0) + value
    bounds = sorted(cumulative, key=float)
    sizes = {
        bound: cumulative[bound] - (cumulative[bounds[index - 1]] if index else 0.0)
        for index, bound in enumerate(bounds)
    }
    return DenoiserCounters(
        values.get("steps_total", 0.0),
        values.get("mixed_steps_total", 0.0),
        values.get("step_seconds_total", 0.0),
        values.get("batch_size_sum", 0.0),
        sizes,
    )
