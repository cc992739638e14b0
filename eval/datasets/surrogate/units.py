"""The action units that one person shows with an emotion, drawn by the published shares of ``units.yaml``."""

from __future__ import annotations

from functools import cache
from math import radians
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from ....common.config import SETTINGS, read_settings
from .sizes import Share

Pose = dict[str, float]


@dataclass(frozen=True, config=SETTINGS)
class Unit:
    """What one action unit does at full strength."""

    one: dict[str, Share] = Field(default_factory=dict)
    """Channels without a side."""
    both: dict[str, Share] = Field(default_factory=dict)
    """Channels on the left and on the right."""
    jaw_x: Annotated[float, Field(ge=0, le=30)] = 0.0
    """Opening of the jaw, degrees."""

    def pose(self) -> Pose:
        """Channels as ``face.facs.poses`` names them, ``jaw_x`` in radians."""
        sided = {f"{name}{side}": value for name, value in self.both.items() for side in ("Left", "Right")}
        return {**sided, **self.one, **({"jaw_x": radians(self.jaw_x)} if self.jaw_x else {})}


@dataclass(frozen=True, config=SETTINGS)
class UnitTables:
    """The tables of ``units.yaml``, which says where they come from."""

    units: dict[int, Unit]
    needed: dict[str, tuple[int, ...]]
    """By emotion, units without which CK+ gives no label."""
    share: dict[str, dict[int, Share]]
    """By emotion, share of people who show a unit that is not needed."""
    brows_opposed: Share
    one_sided: Share


@cache
def unit_tables() -> UnitTables:
    """The tables, read once."""
    return read_settings(UnitTables, Path(__file__).with_name("units.yaml"))


def draw_pose(rng: np.random.Generator, emotion: str) -> Pose:
    """The units that one person shows with an emotion, as channels at full strength.

    Args:
        rng: draws the units, and whether contempt has one side (the left).
        emotion: one of the seven of CK+.

    Raises:
        ValueError: another emotion.
    """
    tables = unit_tables()
    if emotion not in tables.needed:
        raise ValueError(f"no action units are known for {emotion!r}; known: {', '.join(tables.needed)}")
    units = [*tables.needed[emotion], *(unit for unit, share in tables.share[emotion].items() if rng.random() < share)]
    one_sided = emotion == "contempt" and rng.random() < tables.one_sided
    if one_sided and rng.random() < 0.5:
        units.append(12)
    if emotion == "sadness" and 6 not in units:
        units += [unit for unit in (1, 4) if unit not in units]
    if emotion == "disgust" and not {9, 10} & set(units):
        units.append(int(rng.choice([9, 10])))
    pose: Pose = {}
    for unit in units:
        weight = tables.brows_opposed if unit == 4 and 1 in units else 1.0
        for channel, value in tables.units[unit].pose().items():
            if not (one_sided and channel.endswith("Right")):
                pose[channel] = max(pose.get(channel, 0.0), weight * value)
    return pose
