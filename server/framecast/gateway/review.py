"""Content review of what callers ask for, and of what the planner makes of their stories."""

import logging

from framecast.errors import ContentRefused
from framecast.gateway.metrics import GatewayMetrics
from framecast.review.policy import Policy
from framecast.review.reviewer import Reviewer

logger = logging.getLogger(__name__)

REQUEST, PLAN = "request", "plan"  # where something was found


class ContentReview:
    """Reads texts; counts and logs what it finds, never the text itself.

    Args:
        policy: to go by; None reads nothing.
        metrics: of the gateway.
    """

    def __init__(self, policy: Policy | None, metrics: GatewayMetrics) -> None:
        self._reviewer = Reviewer(policy) if policy is not None else None
        self._metrics = metrics
        for category in policy.categories if policy is not None else ():
            for where in (REQUEST, PLAN):
                metrics.reviews.labels(where, category.name)

    def check(self, field: str, text: str, where: str = REQUEST) -> None:
        """Raises ContentRefused when the policy does not let `text`, the value of `field`, pass."""
        finding = self._reviewer.review(text) if self._reviewer is not None else None
        if finding is None:
            return
        category = finding.category
        self._metrics.reviews.labels(where, category.name).inc()
        logger.info("review where=%s category=%s action=%s field=%s", where, category.name, category.action, field)
        if finding.refused:
            made = "was planned as something" if where == PLAN else "is"
            raise ContentRefused(
                f"{field}: {made} about {category.about} ({finding.words!r}), which this server does not film; "
                "leave it out, or say it in other words",
                category.name,
            )
