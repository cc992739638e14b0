"""Resumable work: what counts as done, and what a killed process leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from facelm.common.store import Journal, Store, published, stamp, stamped, sweep


def test_a_record_counts_under_its_key_and_while_its_files_are_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "c")
    with store.scratch("fit", "x") as folder:
        (folder / "a.bin").write_bytes(b"123")
        record = store.commit("fit", "x", "key", {"v": 1.5}, folder)
    assert store.read("fit", "x") == record == store.done("fit", "x", "key") and store.done("fit", "x", "other") is None
    store.drop_file(record, "a.bin")
    assert store.done("fit", "x", "key") is None and store.done("fit", "x", "key", files=False) == record
    path = store.place("fit", "x").with_suffix(".json")
    path.write_text(path.read_text()[:-10])
    assert store.read("fit", "x") is None
    (path.parent / ".y.1.part").mkdir()
    assert store.sweep() == 1
    with store.lock(), pytest.raises(ValueError, match="another run is at work"), store.lock():
        pass


def test_names_with_dots_are_kept_apart(tmp_path: Path) -> None:
    store = Store(tmp_path, work="")
    made = [store.commit("main", item, "k", {"value": value}, None) for item, value in (("a.1", 1), ("a.2", 2))]
    assert [store.done("main", item, "k") for item in ("a.1", "a.2")] == made and [r.data for r in made] == [
        {"value": 1}, {"value": 2}]
    assert store.done("main", "a.1", "other") is None and (tmp_path / "items").is_dir()  # made with something else


def test_a_stamp_holds_while_the_file_is_the_same(tmp_path: Path) -> None:
    note, file = tmp_path / "notes" / "a.json", tmp_path / "a.bin"
    assert stamped(note, "k", file) is None
    file.write_bytes(b"123")
    assert stamp(note, "k", file, rows=3) == stamped(note, "k", file) and stamped(note, "k", file)["rows"] == 3
    assert stamped(note, "other", file) is None
    file.write_bytes(b"124")
    assert stamped(note, "k", file) is None


def test_published_files_are_complete_when_their_record_is_there(tmp_path: Path) -> None:
    def write(text: str, fail: bool = False) -> None:
        with published(tmp_path, "v.json") as work:
            (work / "v.mp4").write_text(text)
            (work / "v.json").write_text(text)
            if fail:
                raise OSError("full")

    write("one")
    with pytest.raises(OSError, match="full"):
        write("two", fail=True)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"v.mp4": "one", "v.json": "one"}
    code = ("import os, signal, sys\nfrom pathlib import Path\nfrom facelm.common.store import published\n"
            "place = os.replace\n"
            "def half(a, b):\n    place(a, b)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
            "with published(Path(sys.argv[1]), 'v.json') as work:\n"
            "    (work / 'v.mp4').write_text('two')\n    (work / 'v.json').write_text('two')\n    os.replace = half\n")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=os.environ | {
        "PYTHONPATH": str(Path(__file__).resolve().parents[3])})
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "v.mp4").read_text() == "two" and not (tmp_path / "v.json").exists()  # not complete
    assert sweep(tmp_path, ".*.part*") == 1
    write("three")
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"v.mp4": "three", "v.json": "three"}


def test_a_journal_survives_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    journal = Journal(path)
    assert journal.rows() == [] and not path.exists()
    journal.add({"id": "a"})
    journal.add({"id": "b"})
    path.write_text(path.read_text() + '{"id": "half')
    again = Journal(path)
    assert [r["id"] for r in again.rows()] == ["a", "b"]
    again.add({"id": "c"})
    assert [r["id"] for r in again.rows()] == ["a", "b", "c"]
    again.drop(lambda row: row["id"] in ("a", "c"))
    assert again.rows() == [{"id": "b"}]
    again.drop(lambda row: True)
    assert not path.exists()
