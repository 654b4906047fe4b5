"""Every error of the tree has its status."""

import inspect

import grpc
import pytest

from framecast import errors
from framecast.client.errors import PUSHBACK_KEY
from framecast.gateway.status import STATUS, status_of

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.FramecastError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_class_is_mapped(kind):
    assert kind in STATUS


def test_the_documented_statuses_are_the_mapped_ones():
    """The table in the docstring of `framecast.errors` is the truth."""
    documented = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.split()
        if len(words) > 2 and words[0] in ("├──", "└──") and words[-1].isupper():
            documented[words[1]] = words[-1]
    assert len(documented) >= 9
    assert {kind.__name__: code.name for kind, code in STATUS.items() if kind.__name__ in documented} == documented


def test_overload_carries_the_pushback():
    status = status_of(errors.Overloaded("full", retry_after=1.5))
    assert status == (grpc.StatusCode.RESOURCE_EXHAUSTED, "full", ((PUSHBACK_KEY, "1500"),))


def test_a_bad_field_is_named():
    assert status_of(errors.InvalidRequest("scene.seconds", "too long")).details == "scene.seconds: too long"


def test_a_subclass_takes_its_parents_status():
    class Stuck(errors.StageUnavailable):
        pass

    assert status_of(Stuck("x")).code is grpc.StatusCode.UNAVAILABLE


def test_foreign_errors_keep_their_text():
    status = status_of(RuntimeError("/etc/secret"))
    assert status.code is grpc.StatusCode.INTERNAL
    assert "secret" not in status.details


def test_a_status_is_short_enough_for_a_header() -> None:
    details = status_of(errors.InvalidRequest("field", "\U0001f600" * 5000)).details
    assert len(details) == 600
    assert details.endswith("…")
