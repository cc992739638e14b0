from __future__ import annotations

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from facelm.face.clip import arrays
from facelm.face.clip.sequence import FaceSequence, HeadRef
from inputs import Bomb, broken_files
from scipy.spatial.transform import Rotation


def same(a: FaceSequence, b: FaceSequence, atol: float = 1e-5) -> bool:
    names = ("expr", "rotation", "neck_pose", "jaw_pose", "eyes_pose", "translation", "shape")
    return all(np.allclose(getattr(a, n), getattr(b, n), atol=atol) for n in names) and a.fps == b.fps and a.head == b.head


def test_file_round_trip_is_exact(random_clip, tmp_path):
    path = random_clip.save(tmp_path / "clip.npz")
    again = FaceSequence.load(path, random_clip.head)
    assert same(random_clip, again, atol=0)
    assert (again.valid == random_clip.valid).all()
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


def test_headers_are_read_by_one_thread_at_a_time(random_clip, tmp_path, monkeypatch):
    path, inside, most = random_clip.save(tmp_path / "clip.npz"), [], []

    def slowly(read):
        def reader(*args, **options):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.002)  # lets other threads in
            try:
                return read(*args, **options)
            finally:
                inside.pop()
        return reader

    monkeypatch.setattr(arrays, "_READERS", {k: slowly(v) for k, v in arrays._READERS.items()})
    monkeypatch.setattr(arrays, "_read", slowly(arrays._read))
    with ThreadPoolExecutor(6) as pool:
        assert all(same(random_clip, again, atol=0) for again in pool.map(FaceSequence.load, [path] * 6))
    assert max(most) == 1


def test_slice_and_concat_are_inverse(random_clip):
    joined = random_clip.slice(0, 11).concat(random_clip.slice(11, 20), random_clip.slice(20))
    assert same(joined, random_clip, atol=0)


def test_mirror_twice_is_the_same_and_once_swaps_sides(random_clip):
    assert same(random_clip.mirror().mirror(), random_clip, atol=0)
    left = FaceSequence.rest(3, random_clip.head).replace(
        neck_pose=np.tile(np.array([0.1, 0.3, 0.2], np.float32), (3, 1)))
    assert np.allclose(left.mirror().neck_pose[0], [0.1, -0.3, -0.2])


def test_mirror_of_the_geometry(head, random_clip):
    """Mirroring the parameters mirrors the mesh (the head's own asymmetry aside)."""
    clip = random_clip.replace(shape=np.zeros_like(random_clip.shape))
    a, b = head.sequence_vertices(clip), head.sequence_vertices(clip.mirror())
    flipped = a * np.array([-1, 1, 1])
    from scipy.spatial import cKDTree

    gap, _ = cKDTree(b[0]).query(flipped[0])
    assert np.quantile(gap, 0.95) < 0.002


def test_resample_keeps_duration_and_turns_along_the_arc(head):
    angles = np.linspace(0, 1.2, 26)[:, None]
    clip = FaceSequence.rest(26, head.ref).replace(neck_pose=(angles * [0, 1, 0]).astype(np.float32))
    fast = clip.resample(50)
    assert abs(fast.seconds - clip.seconds) <= 1 / 25
    inside = np.arange(51)
    want = Rotation.from_rotvec(np.interp(inside / 50, np.arange(26) / 25, angles[:, 0])[:, None] * [0, 1, 0])
    got = Rotation.from_rotvec(fast.neck_pose[:51])
    assert (want.inv() * got).magnitude().max() < 1e-4
    assert same(clip.resample(25), clip, atol=0)


def test_resample_of_a_large_rotation_is_a_slerp_not_a_component_mean(head):
    ends = np.array([[0, np.pi - 0.1, 0], [0, -(np.pi - 0.1), 0]], np.float32)  # 0.2 rad apart the short way
    mid = FaceSequence.rest(2, head.ref, fps=10).replace(neck_pose=ends).resample(20).neck_pose[1]
    assert abs(np.linalg.norm(mid) - np.pi) < 1e-3


def test_clips_of_an_earlier_default_head_are_of_todays(head, random_clip, tmp_path):
    """Clips, corpora, expression sets and trained baselines name the head by its hash, and the file of edition 1 is gone."""
    first = HeadRef("facelm-default", "1", "ca12f3e31a85c5c550659dc581ad33b211e7ffcaaab64ddf9a8f271fccdda87f")
    clip = FaceSequence.load(random_clip.replace(head=first).save(tmp_path / "old.npz"), head.ref)
    assert clip.head == head.ref and np.array_equal(clip.expr, random_clip.expr)
    assert HeadRef.stored_text(str(first)) == str(head.ref) == HeadRef.stored_text(str(head.ref))
    assert HeadRef.stored("flame", "2023", "0" * 64) == HeadRef("flame", "2023", "0" * 64)


def test_other_head_is_refused_with_the_way_out(random_clip, tmp_path):
    path = random_clip.save(tmp_path / "clip.npz")
    with pytest.raises(ValueError, match="to (this|one) head first"):
        FaceSequence.load(path, HeadRef("flame", "2023", "0" * 64))
    other = random_clip.replace(head=HeadRef("flame", "2023", "0" * 64))
    with pytest.raises(ValueError, match="to (this|one) head first"):
        random_clip.concat(other)


@pytest.mark.parametrize(("change", "words"), [
    ({"jaw_pose": np.zeros((4, 3), np.float32)}, "jaw_pose has shape"),
    ({"expr": np.full((30, 41), np.nan, np.float32)}, "not finite"),
    ({"expr": np.full((30, 41), 1e6, np.float32)}, "reaches"),
    ({"valid": np.ones(30)}, "valid is"),
    ({"fps": 0.0}, "fps is"),
    ({"fps": float("nan")}, "fps is"),
    ({"shape": np.zeros((2, 2), np.float32)}, "shape has shape"),
])
def test_wrong_values_are_refused_by_name(random_clip, change, words):
    with pytest.raises(ValueError, match=words):
        random_clip.replace(**change)


def test_no_frames_is_refused(random_clip):
    with pytest.raises(ValueError, match="0 frames"):
        random_clip.slice(5, 5)


def test_malformed_files_end_in_a_sentence(random_clip, tmp_path):
    for name, (path, words) in broken_files(random_clip, tmp_path).items():
        with pytest.raises(ValueError, match=words) as caught:
            FaceSequence.load(path)
        assert "\n" not in str(caught.value), name
    with pytest.raises(FileNotFoundError):
        FaceSequence.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match="folder"):
        FaceSequence.load(tmp_path)


def test_a_pickle_is_never_run(random_clip, tmp_path):
    bomb = Bomb()
    bomb.path = str(tmp_path / "exploded")
    plain = tmp_path / "plain.npz"
    plain.write_bytes(pickle.dumps(bomb))
    with np.load(random_clip.save(tmp_path / "good.npz")) as data:
        arrays = {k: data[k] for k in data.files}
    holder = np.empty(1, object)
    holder[0] = bomb
    np.savez(tmp_path / "inside.npz", **{**arrays, "expr": holder})
    for path in (plain, tmp_path / "inside.npz"):
        with pytest.raises(ValueError):
            FaceSequence.load(path)
    assert not (tmp_path / "exploded").exists()
