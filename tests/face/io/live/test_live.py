"""Live packets, read by other people's readers from a socket."""

from __future__ import annotations

import socket
import struct
import threading
import time

import numpy as np
import pytest
from facelm.cli.main import main
from facelm.face.clip.channels import ARKIT_52
from facelm.face.clip.sequence import FaceSequence
from facelm.face.head.model import HeadModel
from facelm.face.io.export.formats import prepared
from facelm.face.io.live import livelink, vmc
from facelm.face.io.live.play import play
from scipy.spatial.transform import Rotation

HEAD = HeadModel.default()


class Listener:
    """Collects what arrives at a free port of this computer."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.5)
        self.port = self.socket.getsockname()[1]
        self.packets: list[tuple[float, bytes]] = []
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self) -> None:
        quiet = 0
        while quiet < (3 if self.packets else 120):  # a first run imports and compiles
            try:
                self.packets.append((time.perf_counter(), self.socket.recv(65536)))
                quiet = 0
            except TimeoutError:
                quiet += 1
        self.socket.close()

    def heard(self) -> list[bytes]:
        self.thread.join()
        return [p for _, p in self.packets]


def moving(frames: int = 12, fps: float = 30.0) -> FaceSequence:
    """Every shape and joint with a value of its own."""
    rng = np.random.default_rng(0)
    rest = FaceSequence.rest(frames, HEAD.ref, n_expr=HEAD.n_expr, fps=fps)
    return rest.replace(expr=rng.uniform(0, 1, rest.expr.shape).astype("f4"),
                        rotation=rng.normal(0, 0.2, (frames, 3)).astype("f4"),
                        neck_pose=rng.normal(0, 0.2, (frames, 3)).astype("f4"),
                        jaw_pose=(rng.uniform(0, 0.08, (frames, 3)) * [1, 1, 0]).astype("f4"),
                        eyes_pose=(rng.normal(0, 0.1, (frames, 6)) * [1, 1, 0, 1, 1, 0]).astype("f4"))


def test_live_link_packets_are_read_by_another_library(tmp_path, capsys):
    library = pytest.importorskip("pylivelinkface")
    seq, listener = moving(), Listener()
    seq.save(tmp_path / "a.npz")
    assert main(["stream", str(tmp_path / "a.npz"), "--livelink", f"127.0.0.1:{listener.port}", "--subject", "Ann"]) == 0
    assert f"12 frames sent to 127.0.0.1:{listener.port}" in capsys.readouterr().out
    packets = listener.heard()
    assert len(packets) == 12
    job, _ = prepared(seq, HEAD, "arkit52")
    at = {n: k for k, n in enumerate(job.curves.names)}
    numbers = []
    for k, data in enumerate(packets):
        found, face = library.PyLiveLinkFace.decode(data)
        assert found and face.name == "Ann" and face.fps == 30 and face._denominator == 1 and face._version == 6
        numbers.append(face._frames)
        for shape in library.FaceBlendShape:
            name = shape.name[0].lower() + shape.name[1:]
            if name in at:
                assert face.get_blendshape(shape) == pytest.approx(job.curves.values[k, at[name]], abs=1e-6), name
        angles = [face.get_blendshape(getattr(library.FaceBlendShape, f"Head{a}")) for a in ("Yaw", "Pitch", "Roll")]
        assert angles == pytest.approx(job.turns.as_euler("YXZ")[k] * [-1, 1, -1], abs=1e-6), "yaw and roll to the right"
        left, right = (Rotation.from_rotvec(seq.eyes_pose[k, i:i + 3]).as_matrix()[:, 2] for i in (0, 3))  # gaze
        assert np.tan(face.get_blendshape(library.FaceBlendShape.LeftEyeYaw)) == pytest.approx(-left[0] / left[2], abs=1e-5)
        assert np.sin(face.get_blendshape(library.FaceBlendShape.RightEyePitch)) == pytest.approx(-right[1], abs=1e-5)
    assert np.diff(numbers).tolist() == [1] * 11


def test_the_packet_byte_by_byte():
    """By hand after Unreal's AppleARKitLiveLinkSource.cpp."""
    data = livelink.packet(np.arange(61) / 64, 7, 30000 / 1001, "A", "id")
    assert data[:1] == b"\x06" and data[1:7] == b"\0\0\0\x02id" and data[7:12] == b"\0\0\0\x01A"
    assert data[12:28] == struct.pack(">ifii", 7, 0.0, 30000, 1001) and data[28] == 61
    assert struct.unpack(">61f", data[29:]) == tuple(np.arange(61) / 64)
    # a packet of a real iPhone has 312 bytes: an id of 36 characters and the subject "iPhone"
    assert len(livelink.packet(np.zeros(61), 671705, 60.0, "iPhone")) == 312
    assert livelink.NAMES[14:23] == ("JawForward", "JawLeft", "JawRight", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker",
                                     "MouthLeft", "MouthRight")


@pytest.mark.parametrize("target", ["arkit52", "vrm"])
def test_vmc_messages_are_read_by_python_osc(target, tmp_path):
    osc = pytest.importorskip("pythonosc.osc_packet")
    seq, listener = moving(4), Listener()
    seq.save(tmp_path / "a.npz")
    assert main(["stream", str(tmp_path / "a.npz"), "--vmc", str(listener.port), "--target", target, "--fps", "60"]) == 0
    packets = listener.heard()
    assert max(map(len, packets)) < 1500
    messages = [m.message for p in packets for m in osc.OscPacket(p).messages]
    applied = [k for k, m in enumerate(messages) if m.address == "/VMC/Ext/Blend/Apply"]
    assert len(applied) == 8  # four frames at 30 fps are eight at 60
    job, _ = prepared(seq, HEAD, target, fps=60)
    rows = vmc.rows(job)
    start = 0
    for k, end in enumerate(applied):
        own = messages[start:end]
        start = end + 1
        values = {m.params[0]: m.params[1] for m in own if m.address == "/VMC/Ext/Blend/Val"}
        names = [n[0].upper() + n[1:] for n in ARKIT_52] if target == "arkit52" else list(job.curves.names)
        assert list(values) == names and np.abs(np.array(list(values.values())) - rows[k, :-4]).max() < 1e-6
        (bone,) = [m.params for m in own if m.address == "/VMC/Ext/Bone/Pos"]
        assert bone[0] == "Head" and bone[4:] == pytest.approx(rows[k, -4:], abs=1e-6)


def test_a_turn_to_the_left_is_one_in_unity():
    """Unity's y axis turns clockwise seen from above: a turn to the subject's left is negative there, a nod positive about x."""
    seq = FaceSequence.rest(2, HEAD.ref, n_expr=HEAD.n_expr).replace(neck_pose=np.array([[0, 0.4, 0], [0.3, 0, 0]], "f4"))
    job, _ = prepared(seq, HEAD, "arkit52")
    left, down = vmc.rows(job)[:, -4:]
    assert left == pytest.approx([0, -np.sin(0.2), 0, np.cos(0.2)], abs=1e-6)
    assert down == pytest.approx([np.sin(0.15), 0, 0, np.cos(0.15)], abs=1e-6)


def test_frames_leave_in_time_and_late_ones_are_left_out():
    now, sent = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def frame(k: int, n: int) -> list[bytes]:
        sent.append((k, n, round(now[0], 6)))
        if n == 3:
            now[0] += 0.35  # the system was busy
        if n == 12:
            raise KeyboardInterrupt
        return []

    with pytest.raises(KeyboardInterrupt):
        play(frame, 5, 10.0, ("127.0.0.1", 9), True, lambda: now[0], sleep)
    assert [n for _, n, _ in sent] == [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12] and [k for k, *_ in sent][:6] == [0, 1, 2, 3, 1, 2]
    assert all(abs(at - n / 10) < 0.11 for _, n, at in sent)
