"""Settings from plain values and from YAML files with a base."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Literal

import pytest
from facelm.common.config import SETTINGS, merge, parse, read_yaml
from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, config=SETTINGS)
class Inner:
    rate: Annotated[float, Field(gt=0)] = 1.0
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        if self.rate > 10 and self.kind == "b":
            raise ValueError("kind b needs a rate of at most 10")


@dataclass(frozen=True, config=SETTINGS)
class Outer:
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)
    name: str | None = None
    on: bool = True


def test_values_are_taken_strictly():
    made = parse(Outer, {"inner": {"rate": 2}, "sizes": [3], "name": "x"})
    assert made == Outer(Inner(2.0), (3,), "x") and isinstance(made.inner.rate, float)
    assert parse(Outer, {}) == Outer()


@pytest.mark.parametrize(("raw", "message"), [
    ({"inner": {"rate": 0}}, "recipe.inner.rate is 0; allowed: greater than 0"),
    ({"inner": {"rate": "1"}}, "recipe.inner.rate is '1'; allowed: a valid number"),
    ({"inner": {"rate": float("nan")}}, "recipe.inner.rate is nan; allowed: a finite number"),
    ({"inner": {"kind": "c"}}, "recipe.inner.kind is 'c'; allowed: 'a' or 'b'"),
    ({"inner": {"kind": "b", "rate": 20}}, "recipe.inner: kind b needs a rate of at most 10"),
    ({"inner": {"rat": 1}}, "recipe.inner: unknown entry 'rat'; known: rate, kind"),
    ({"outer": 1}, "recipe: unknown entry 'outer'; known: inner, sizes, name, on"),
    ({"on": 1}, "recipe.on is 1; allowed: a valid boolean"),
])
def test_faults_are_one_line_that_names_the_entry(raw, message):
    with pytest.raises(ValueError) as caught:
        parse(Outer, raw, "recipe")
    assert str(caught.value) == message


def test_files_build_on_others(tmp_path):
    (tmp_path / "a.yaml").write_text("inner: {rate: 1e-3, kind: b}\nname: x\n")
    (tmp_path / "b.yaml").write_text("base: a.yaml\ninner: {rate: 2}\n")
    assert read_yaml(tmp_path / "b.yaml") == {"inner": {"rate": 2, "kind": "b"}, "name": "x"}
    assert read_yaml(tmp_path / "a.yaml")["inner"]["rate"] == 1e-3
    laughs = "a0: &a0 [x]\n" + "".join(f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(9))
    bad = (("c", "base: c.yaml\n", "circle"), ("d", "- 1\n", "mapping"), ("e", "", "empty"), ("f", "a: [", "YAML"),
           ("g", laughs, "holds more than"),
           ("h", "a: &a [*a]\n", "alias stands within"))
    for name, text, message in bad:
        (tmp_path / f"{name}.yaml").write_text(text)
        with pytest.raises(ValueError, match=message):
            read_yaml(tmp_path / f"{name}.yaml")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_yaml(tmp_path / "none.yaml")


def test_merging_is_deep_and_changes_nothing():
    under = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merge(under, {"a": {"y": 4}, "b": {"z": 5}}) == {"a": {"x": 1, "y": 4}, "b": {"z": 5}}
    assert under == {"a": {"x": 1, "y": 2}, "b": 3}
