"""Tables of words: every file fits its schema, and YAML's traps are refused."""

from __future__ import annotations

from pathlib import Path

import facelm.data_gen
import pytest
import yaml
from facelm.common.config import SETTINGS
from facelm.data_gen.tables import read_table
from pydantic.dataclasses import dataclass

ROOT = Path(facelm.data_gen.__file__).parent


@dataclass(frozen=True, config=SETTINGS)
class Words:
    words: tuple[str, ...]


@pytest.mark.parametrize(("text", "said"), [
    ("words: [yes, maybe]", "words.0 is True"), ("words: [once, 2]", "words.1 is 2"), ("words: once", "words is 'once'"),
    ("words: [once]\nword: [twice]", "unknown entry 'word'"), ("{}", "words is missing")])
def test_values_that_are_no_words_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    monkeypatch.setattr("facelm.data_gen.tables.files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=said) as err:
        read_table("any", "a.yaml", Words)
    assert "a.yaml" in str(err.value) and "\n" not in str(err.value)


@pytest.mark.parametrize("path", sorted(ROOT.glob("*/**/*.yaml")), ids=lambda p: p.name)
def test_no_key_is_given_twice(path: Path) -> None:
    """YAML takes the last of two equal keys in silence."""
    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [k.value for k, _ in node.value]
            assert len(set(keys)) == len(keys), keys
            for _, value in node.value:
                check(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                check(value)

    check(yaml.compose(path.read_text(encoding="utf-8")))
