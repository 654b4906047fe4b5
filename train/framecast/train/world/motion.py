"""Actions: where the subject is, and how it is posed, at every moment.

Every motion goes on for ever and starts where the subject is well seen: the first two seconds of any scene show what
the caption says, and a scene of any length can go on from there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

VIEW = 256.0
MARGIN = 70.0
"""How far outside the view a crossing subject turns up again, in units."""


@dataclass(frozen=True)
class Pose:
    """The subject at one moment.

    Attributes:
        x: centre, in view units from the left.
        y: height of the feet, in view units from the top.
        turn: rotation of the whole subject, degrees clockwise.
        facing: 1 right, -1 left.
        squash: vertical scale, 1 is none; width keeps the area.
        phase: limb cycle, in turns.
        stride: how far limbs swing, 0..1.
        roll: wheel angle, degrees.
        airborne: the feet are off the ground.
        lift: height above the ground, in view units.
        size: of the whole subject, 1 is its usual.
    """

    x: float
    y: float
    turn: float = 0.0
    facing: int = 1
    squash: float = 1.0
    phase: float = 0.0
    stride: float = 0.0
    roll: float = 0.0
    airborne: bool = False
    lift: float = 0.0
    size: float = 1.0


@dataclass(frozen=True)
class Start:
    """Where a scene begins; speed and direction are the action's own. `ground` is the y of the feet at rest.

    It is the same for every seed, which draws the place alone: what a subject does is then all in the caption, and a
    small network can draw it sharply instead of guessing where it stands.
    """

    ground: float = 210.0


def pose_at(action: str, start: Start, seconds: float) -> Pose:
    """The pose `seconds` after the scene began.

    Raises:
        KeyError: no such action.
    """
    return _MOTIONS[action](start, seconds)


def _hop(t: float) -> float:
    """Height 0..1 of a hop with a short rest on the ground; period 1."""
    t %= 1.0
    return max(0.0, math.sin(min(t / 0.8, 1.0) * math.pi))


def _squash(height: float, speed: float = 1.0) -> float:
    """Flat on the ground, stretched in the air."""
    return 0.92 + 0.12 * height * speed


def _play(start: Start, t: float) -> Pose:
    # Hops to one side and back: a subject that plays is never still and never leaves.
    beat = t * 1.5
    height = _hop(beat)
    across = math.sin(t * math.tau / 2.6)
    return Pose(
        x=128 + across * 34,
        y=start.ground - height * 14,
        turn=math.sin(beat * math.pi) * 7,
        facing=1 if math.cos(t * math.tau / 2.6) >= 0 else -1,
        squash=_squash(height, 0.6),
        phase=beat,
        stride=0.9,
        roll=across * 120,
        lift=height * 14,
    )


def _cross(start: Start, t: float, direction: int) -> Pose:
    # A wrap-around walk: what leaves on one side comes back on the other.
    speed = 62
    travelled = (128 - direction * 55 + direction * speed * t + MARGIN) % (VIEW + 2 * MARGIN)
    return Pose(
        x=travelled - MARGIN,
        y=start.ground - abs(math.sin(t * math.tau * 1.5)) * 3,
        facing=direction,
        phase=t * 1.5,
        stride=1.0,
        roll=direction * speed * t / 17 * 30,
    )


def _jump(start: Start, t: float) -> Pose:
    height = _hop(t)
    return Pose(
        x=128,
        y=start.ground - height * 72,
        squash=_squash(height),
        phase=t,
        stride=0.3 + 0.5 * height,
        airborne=height > 0.1,
        lift=height * 72,
    )


def _spin(start: Start, t: float) -> Pose:
    return Pose(x=128, y=start.ground - 22, turn=t * 180, phase=t, stride=0.4, lift=22)


def _rise(start: Start, t: float, direction: int) -> Pose:
    # What leaves at the top comes back at the bottom, and the other way round.
    travelled = ((116 if direction > 0 else 228) + direction * 56 * t) % (VIEW + 2 * MARGIN)
    y = VIEW + MARGIN - travelled
    return Pose(
        x=128 + math.sin(t * math.tau / 2) * 8,
        y=y + start.ground - 210,
        turn=-9.0 if direction > 0 else math.sin(t * math.tau) * 9,
        phase=t * 1.5,
        stride=0.6,
        airborne=True,
        lift=max(0.0, start.ground - y),
    )


def _grow(start: Start, t: float) -> Pose:
    return Pose(x=128, y=start.ground, size=1.3 - 0.85 * 2 ** (-t), phase=t * 0.5, stride=0.2)


def _float(start: Start, t: float) -> Pose:
    swell = math.sin(t * math.tau / 2)
    return Pose(
        x=128 + math.sin(t * math.tau / 4) * 22,
        y=start.ground - 40 - swell * 12,
        turn=math.cos(t * math.tau / 2) * 8,
        phase=t,
        stride=0.5,
        airborne=True,
        lift=40 + swell * 12,
    )


_MOTIONS = {
    "play": _play,
    "left": lambda start, t: _cross(start, t, -1),
    "right": lambda start, t: _cross(start, t, 1),
    "jump": _jump,
    "spin": _spin,
    "fly": lambda start, t: _rise(start, t, 1),
    "fall": lambda start, t: _rise(start, t, -1),
    "grow": _grow,
    "float": _float,
}
