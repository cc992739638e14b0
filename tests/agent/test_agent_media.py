"""Videos and pictures for the language model: fitted first, cut into windows, told without the camera."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from facelm.agent.media import describe_parts, lines, load_motion
from facelm.agent.pipeline import check_clip
from facelm.agent.talk.agent import Agent
from facelm.agent.talk.tools import Call
from facelm.data_gen.fit import fit
from facelm.data_gen.performer.animator import perform
from facelm.face.clip.normalise import Normalised
from facelm.face.clip.sequence import FaceSequence, HeadRef
from facelm.face.facs.measure import measure
from facelm.face.facs.measured import Measurement
from facelm.face.facs.schedule import Event, Schedule
from facelm.face.head.model import HeadModel
from scipy.spatial.transform import Rotation
from scripted_agent import needs_tokenizer, rule_agent


def film(clip: FaceSequence, yaw: float = -15.0) -> FaceSequence:
    """A performance as a fit gives it: in front of a camera, turned past it, the eyes on it."""
    turn = Rotation.from_euler("y", np.radians(yaw))
    turned = turn * Rotation.from_rotvec(clip.neck_pose)
    eyes = clip.eyes_pose + np.radians([0, -yaw, 0, 0, -yaw, 0]).astype(np.float32)
    return clip.replace(rotation=turned.as_rotvec().astype(np.float32), neck_pose=np.zeros_like(clip.neck_pose), eyes_pose=eyes,
                        translation=np.tile(np.float32([0.0, 0.0, -0.8]), (len(clip), 1)))


def smiles(seconds: float, every: float = 4.0, fps: float = 25.0) -> FaceSequence:
    events = tuple(Event("smile", t + 0.8, 0.4, 0.8, 0.4) for t in np.arange(0.0, seconds - 3.0, every))
    return perform(Schedule(seconds, events), fps=fps)


class Reader:
    """Stands for the agent: what it says is what is measured."""

    def __init__(self) -> None:
        self.head = HeadModel.default()
        self.read: list[FaceSequence] = []
        self.told: list[Measurement] = []

    def describe_many(self, clips: list[FaceSequence]) -> list[str]:
        return [self.describe(c) for c in clips]

    def describe(self, clip: FaceSequence | Normalised | Measurement) -> str:
        if isinstance(clip, Measurement):
            self.told.append(clip)
            return ", ".join(clip.names) or "nothing"
        clip = clip.seq if isinstance(clip, Normalised) else clip
        check_clip(clip, self.head)
        self.read.append(clip)
        return ", ".join(measure(clip).names) or "nothing"

    def ask(self, clip: FaceSequence | Normalised | Measurement, question: str) -> str:
        clip = clip.seq if isinstance(clip, Normalised) else clip
        if isinstance(clip, Measurement) and question.startswith("How often"):
            return "all of the film" if clip.seconds > 9 else "a window"
        return f"{clip.seconds:.1f} s"


def fitted(monkeypatch: pytest.MonkeyPatch, seq: FaceSequence, ok: bool = True) -> list[tuple[str, int | None]]:
    """Let a file be fitted without a camera; returns the calls."""
    calls = []

    def fit_faces(path, head=None, *, face=None, every=False, progress=None):  # type: ignore[no-untyped-def]
        calls.append((str(path), face))
        if progress:
            progress(len(seq), len(seq), "detect")
        info = SimpleNamespace(notes=("the file is incomplete",) if len(seq) > 1 else ())
        done = SimpleNamespace(seq=seq, info=info, detections=SimpleNamespace(faces_seen=1), start=0,
                               quality=SimpleNamespace(ok=ok, reasons=() if ok else ("blurred",)))
        return [fit.FittedFace((done,), len(seq), face)]

    monkeypatch.setattr(fit, "fit_faces", fit_faces)
    return calls


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "me.mp4"
    path.write_bytes(b"a video")
    return path


def test_a_clip_that_was_not_filmed_is_read_as_it_is(tmp_path: Path) -> None:
    clip = smiles(12.0)
    clip.save(tmp_path / "a.npz")
    loaded = load_motion(tmp_path / "a.npz")
    assert len(loaded.parts) == 1 and not loaded.shots and not loaded.note
    assert np.array_equal(loaded.seq.expr, clip.expr) and loaded.parts[0].end == pytest.approx(12.0)


@pytest.mark.parametrize("as_npz", [True, False])
def test_a_face_past_the_camera_is_told_without_the_camera(tmp_path: Path, video: Path, monkeypatch, as_npz: bool) -> None:  # type: ignore[no-untyped-def]
    seq, path = film(smiles(5.0, fps=30.0)), video
    assert {"turn_right", "gaze_left"} <= set(measure(seq, filmed=False).names)
    if as_npz:
        path = seq.save(tmp_path / "fit.npz")
    else:
        calls = fitted(monkeypatch, seq)
    seen: list[str] = []
    loaded = load_motion(path, progress=lambda done, of, stage="": seen.append(stage), face=1)
    assert loaded.shots and loaded.measured is not None
    assert loaded.seq.fps == 25.0 and not loaded.seq.translation.any() and not loaded.seq.rotation.any()
    assert set(measure(loaded.seq).names) == {"smile"}
    assert "15 degrees to its right" in loaded.note
    if not as_npz:
        assert calls == [(str(video), 1)] and seen == ["detect"]
        assert "fitted to 150 of 150 frames (5.0 s); the file is incomplete" in loaded.note


def test_a_long_video_is_read_in_windows_that_tear_no_movement(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(monkeypatch, film(smiles(26.0)))
    loaded = load_motion(video)
    assert len(loaded.parts) >= 4 and f"read in {len(loaded.parts)} windows" in loaded.note
    assert all(p.seq.seconds <= 8.0 for p in loaded.parts)
    assert loaded.parts[0].start == 0.0 and loaded.parts[-1].end == pytest.approx(26.0)
    assert all(a.end == pytest.approx(b.start) for a, b in zip(loaded.parts, loaded.parts[1:], strict=False))
    agent = Reader()
    said = lines(loaded, describe_parts(agent, loaded))  # type: ignore[arg-type]
    assert said[0].startswith("0.0-") and all("smile" in s or "nothing" in s for s in said)
    smiles_read = sum(len(measure(p.seq).of("smile")) for p in loaded.parts)
    assert smiles_read == 6  # as many as were made: none is cut in two
    fitted(monkeypatch, film(smiles(8.4)))
    assert len(load_motion(video).parts) == 1  # a little longer than a window


def test_stretches_without_a_face_are_left_out(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seq = film(smiles(9.0))
    valid = np.ones(len(seq), bool)
    valid[100:150] = False  # 4 to 6 s
    valid[30] = False  # one frame is bridged
    fitted(monkeypatch, seq.replace(valid=valid))
    loaded = load_motion(video)
    assert [(round(p.start, 1), round(p.end, 1)) for p in loaded.parts] == [(0.0, 4.0), (6.0, 9.0)]
    fitted(monkeypatch, seq.replace(valid=np.zeros(len(seq), bool)))
    with pytest.raises(ValueError, match="no "):
        load_motion(video)


def test_a_picture_is_a_short_clip(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smiling = film(smiles(5.0), yaw=20.0).slice(40, 41)
    fitted(monkeypatch, smiling)
    loaded = load_motion(video)
    assert loaded.seq.seconds == 1.0 and {"smile", "turn_left"} <= set(measure(loaded.seq).names)
    assert loaded.note == "fitted to a picture"


def test_a_fit_that_failed_its_gate_says_so(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(monkeypatch, film(smiles(4.0)), ok=False)
    assert "not to be relied on: blurred" in load_motion(video).note


def test_wrong_input_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such clip, video"):
        load_motion(tmp_path / "none.mp4")
    with pytest.raises(FileNotFoundError, match="no such clip"):
        load_motion(tmp_path / "none.npz")
    smiles(4.0).replace(head=HeadRef("flame", "2023", "0" * 64)).save(tmp_path / "flame.npz")
    with pytest.raises(ValueError, match="flame"):
        load_motion(tmp_path / "flame.npz")


# -- in the conversation ------------------------------------------------------------------
@needs_tokenizer
def test_the_chat_talks_about_a_whole_film(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(monkeypatch, film(smiles(18.0)))
    agent = Agent(tmp_path / "talk", rule_agent())
    opened = agent.call(Call("open", {"path": str(video)})).text
    assert opened.startswith(f"{video} is clip 1: 18.0 s (fitted to 450 of 450") and "\n0.0-" in opened
    often = agent.say("How often does she smile?").value
    assert often == 4
    with pytest.raises(FileNotFoundError):
        agent.call(Call("open", {"path": "none.mp4"}))
    assert agent.memory.current is not None and agent.memory.current.number == 1
    again = Agent(tmp_path / "talk", agent.tools.agent)  # fitted once, and kept
    monkeypatch.setattr(fit, "fit_faces", lambda *a, **k: pytest.fail("fitted again"))
    assert again.say("How often does she smile?").value == often


def test_a_film_is_cleaned_once_and_a_clip_by_the_reader(tmp_path: Path) -> None:
    film_file = film(smiles(3.0, fps=30.0)).save(tmp_path / "film.npz")
    part, = load_motion(film_file).parts
    assert isinstance(part.clip, Normalised) and part.clip.filmed and part.seq is part.clip.seq
    moved = part.mapped(lambda clip: clip.slice(0, 10))
    assert isinstance(moved.clip, Normalised) and len(moved.seq) == 10
    part, = load_motion(smiles(3.0).save(tmp_path / "made.npz")).parts
    assert isinstance(part.clip, FaceSequence)
