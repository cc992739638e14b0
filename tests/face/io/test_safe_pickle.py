"""Foreign pickles: what is data comes back equal, whatever could run is refused, and nothing runs."""

from __future__ import annotations

import collections
import io
import pickle
import pickletools
import struct
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from facelm.face.io.heads import pickle_values, safe_pickle
from facelm.face.io.heads.safe_pickle import read_data
from hypothesis import given, settings
from hypothesis import strategies as st

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-10**30, 10**30) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20)


class Reduced:
    """Pickles as a call of anything."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts

    def __reduce__(self) -> Any:
        return self.parts


def named(module: str, name: str, args: bytes = b"", tail: bytes = b"") -> bytes:
    """A pickle that calls ``module.name(*args)``; ``args`` are pickled values, without frames."""
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n(" + args + b"tR" + tail + b"."


@pytest.fixture()
def canary(tmp_path: Path) -> Path:
    """A file that appears when something ran."""
    return tmp_path / "canary"


# -- data ---------------------------------------------------------------------------------
@given(PLAIN, st.sampled_from(PROTOCOLS))
@settings(max_examples=60, deadline=None)
def test_plain_data_round_trips(value: Any, protocol: int) -> None:
    assert read_data(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("array", [
    np.arange(12.0).reshape(3, 4), np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(5, dtype=">i4"),
    np.array([True, False]), np.zeros((0, 3), np.float32), np.float32(2.5) * np.ones(()), np.array(["a", "bcd"]),
    np.array([b"ab", b"c"]), np.arange(3, dtype=np.uint8)[::-1], np.array([1 + 2j])], ids=lambda a: f"{a.dtype}{a.shape}")
def test_arrays(array: np.ndarray, protocol: int) -> None:
    got = read_data(pickle.dumps({"x": array}, protocol=protocol))["x"]
    assert np.array_equal(got, array) and got.shape == array.shape and got.dtype.isnative


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_other_kinds(protocol: int) -> None:
    value = {
        "sparse": [make(np.array([[1.0, 0, 2], [0, 3, 0]]))
                   for make in (sp.csc_matrix, sp.csr_matrix, sp.coo_matrix, sp.csc_array)],
        "tensor": torch.arange(6).reshape(2, 3).T, "half": torch.ones(2, dtype=torch.bfloat16), "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)), "ordered": collections.OrderedDict([("b", 1), ("a", 2)]),
        "default": collections.defaultdict(list, {"k": [1]}), "set": {1, 2}, "frozen": frozenset({"a"}),
        "bytes": bytearray(b"\xff\0"), "scalar": np.float64(1.5), "objects": np.array([{"a": 1}, None, [2]], dtype=object),
        "dict": np.array({"a": 1}, dtype=object)}
    got = read_data(pickle.dumps(value, protocol=protocol))
    for matrix in got["sparse"]:
        assert isinstance(matrix, sp.coo_matrix) and np.array_equal(matrix.toarray(), [[1, 0, 2], [0, 3, 0]])
    assert np.array_equal(got["tensor"], value["tensor"].numpy()) and np.array_equal(got["half"], [1, 1])
    assert got["empty"].shape == (0, 3) and np.array_equal(got["parameter"], [1, 1])
    assert got["ordered"] == {"b": 1, "a": 2} and list(got["ordered"]) == ["b", "a"] and got["default"] == {"k": [1]}
    assert got["set"] == {1, 2} and got["frozen"] == {"a"} and got["bytes"] == b"\xff\0" and got["scalar"] == 1.5
    assert got["objects"] == [{"a": 1}, None, [2]] and got["dict"] == {"a": 1}


def test_python_2_arrays() -> None:
    """What Python 2 wrote: raw bytes as a str, in protocols 0 (escaped) and 2."""
    values = np.array([1.5, -2.0, 255.0])
    raw = values.tobytes()
    dtype = (b"cnumpy\ndtype\n(S'f8'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb")
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I3\nt" + dtype + b"I00\n"
    escaped = ("S'" + "".join(f"\\x{b:02x}" for b in raw) + "'\n").encode()
    for data in (start + escaped + b"tb.", b"\x80\x02" + start + b"U" + bytes([len(raw)]) + raw + b"tb."):
        assert np.array_equal(read_data(data), values)


def chumpy(monkeypatch: pytest.MonkeyPatch, name: str, module: str = "chumpy.ch", **state: Any) -> Any:
    """An object that pickles as chumpy's; the modules exist only in this test."""
    for m in ("chumpy", module):
        monkeypatch.setitem(sys.modules, m, sys.modules.get(m) or types.ModuleType(m))
    cls = type(name, (), {"__module__": module})
    monkeypatch.setattr(sys.modules[module], name, cls, raising=False)
    out = cls()
    out.__dict__.update(state)
    return out


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_chumpy_arrays_and_reorderings(monkeypatch: pytest.MonkeyPatch, protocol: int) -> None:
    x = np.arange(12.0).reshape(3, 4)
    leaf = chumpy(monkeypatch, "Ch", x=x, _dirty_vars={"x"}, _itr=None)
    parts = {
        "leaf": leaf,
        "pick": chumpy(monkeypatch, "Select", "chumpy.reordering", a=leaf, idxs=np.array([0, 5, 11]), preferred_shape=(3,)),
        "turn": chumpy(monkeypatch, "transpose", "chumpy.reordering", a=leaf, axes=None),
        "fold": chumpy(monkeypatch, "Reshape", "chumpy.reordering", a=leaf, newshape=(4, 3))}
    data = pickle.dumps(parts, protocol=protocol)
    monkeypatch.undo()
    assert "chumpy" not in sys.modules
    got = read_data(data)
    assert np.array_equal(got["leaf"], x) and np.array_equal(got["pick"], [0, 5, 11])
    assert np.array_equal(got["turn"], x.T) and np.array_equal(got["fold"], x.reshape(4, 3))
    assert "chumpy" not in sys.modules


def test_chumpy_computations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    leaf = chumpy(monkeypatch, "Ch", x=np.ones(2))
    data = pickle.dumps(chumpy(monkeypatch, "add", a=leaf, b=leaf), protocol=2)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"chumpy\.ch\.add.*computation"):
        read_data(data)


def test_npy_and_npz(tmp_path: Path) -> None:
    np.save(tmp_path / "o.npy", np.array({"a": np.ones(2)}, dtype=object), allow_pickle=True)
    assert np.array_equal(read_data(tmp_path / "o.npy")["a"], [1, 1])
    np.savez_compressed(tmp_path / "z.npz", a=np.eye(2), b=np.array({"k": 1}, dtype=object), c=np.asfortranarray(np.eye(3)[:2]))
    got = read_data(tmp_path / "z.npz")
    assert np.array_equal(got["a"], np.eye(2)) and got["b"] == {"k": 1} and np.array_equal(got["c"], np.eye(3)[:2])


# -- hostile ------------------------------------------------------------------------------
def hostile(canary: Path) -> dict[str, bytes]:
    """Pickles that write the canary when a plain reader opens them, or that call what they must not."""
    touch, code = f"touch {canary}", f"open({str(canary)!r}, 'w')"
    dump = pickle.dumps
    bomb = Reduced(eval, (code,))
    inner_array = np.array([bomb], dtype=object)
    tensor = torch.zeros(1)
    legacy = io.BytesIO()
    torch.save({"x": bomb}, legacy, _use_new_zipfile_serialization=False)
    return {
        "os.system": named("os", "system", dump(touch, 0)[:-1]), "posix": named("posix", "system", dump(touch, 0)[:-1]),
        "eval": dump(bomb), "exec": dump(Reduced(exec, (code,))), "open": dump(Reduced(open, (str(canary), "w"))),
        "subprocess": named("subprocess", "Popen", dump(["touch", str(canary)], 0)[:-1]),
        "getattr": named("builtins", "getattr", b"cos\nsystem\nS'x'\n"),
        "python 2": named("__builtin__", "eval", dump(code, 0)[:-1]), "in a dict": dump({"v_template": np.zeros(3), "f": bomb}),
        "in a key": dump({(1, 2): bomb}), "in objects": dump(inner_array), "in state": dump(Reduced(list, (), {"a": bomb})),
        "as items": dump(Reduced(collections.OrderedDict, (), None, None, iter([("a", bomb)]))),
        "numpy.load": named("numpy", "load", dump(str(canary), 0)[:-1]),
        "numpy.memmap": named("numpy", "memmap", dump(str(canary), 0)[:-1] + b"S'uint8'\nS'w+'\n"),
        "numpy save": named("numpy", "savetxt", dump(str(canary), 0)[:-1] + b"]"),
        "numpy.core": named("numpy.core.multiarray", "fromfile", dump(str(canary), 0)[:-1]),
        "numpy testing": named("numpy.testing._private.utils", "runstring", dump(code, 0)[:-1] + b"}"),
        "numpy f2py": named("numpy.f2py.diagnose", "run_command", dump(touch, 0)[:-1]),
        "torch.load": named("torch", "load", dump(str(canary), 0)[:-1]),
        "bytes of torch": dump(Reduced(torch.storage._load_from_bytes, (legacy.getvalue(),))),
        "torch hooks": dump(Reduced(torch._utils._rebuild_tensor_v2, (bomb, 0, (1,), (1,), False, collections.OrderedDict()))),
        "codecs": named("_codecs", "lookup", b"S'zip'\n"), "import": named("importlib", "import_module", b"S'antigravity'\n"),
        "builtins.__import__": named("builtins", "__import__", b"S'antigravity'\n"),
        "nested module": b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93" + dump((code,), 4)[2:-1] + b"R.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0ecore.os.system\x93" + dump((touch,), 4)[2:-1] + b"R.",
        "inst": b"(" + dump(code, 0)[:-1] + b"i__builtin__\neval\n.",
        "obj": b"(c__builtin__\neval\n" + dump(code, 0)[:-1] + b"o.",
        "newobj_ex": b"\x80\x04cbuiltins\neval\n" + dump((code,), 2)[2:-1] + b"}\x92.",
        "reconstructor": named("copy_reg", "_reconstructor", b"csubprocess\nPopen\nc__builtin__\nobject\nN"),
        "array of a class": b"cnumpy.core.multiarray\n_reconstruct\n(csubprocess\nPopen\n(I0\ntS'b'\ntR.",
        "persistent": b"P" + touch.encode() + b"\n.", "extension": b"\x80\x02\x82\x01.",
        "chumpy's os": named("chumpy.ch", "os.system"),
        "a name alone": b"cos\nsystem\n.", "scipy io": named("scipy.io", "loadmat", dump(str(canary), 0)[:-1]),
        "pickle in pickle": named("pickle", "loads", dump(dump(bomb), 3)[2:-1]),
        "tensor": dump(Reduced(exec, (code, {"t": tensor})))}


def test_nothing_hostile_runs(canary: Path, tmp_path: Path) -> None:
    modules = set(sys.modules)
    for what, data in hostile(canary).items():
        with pytest.raises(ValueError) as caught:
            read_data(data)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 500, what
        assert not canary.exists(), what
        box = tmp_path / "x.npy"
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
        box.write_bytes(header.getvalue() + data)
        with pytest.raises(ValueError):
            read_data(box)
        assert not canary.exists(), what
    assert "antigravity" not in set(sys.modules) - modules


def test_the_canary_would_appear(canary: Path) -> None:
    """The test above means something: Python's own reader runs these."""
    pickle.loads(hostile(canary)["in a dict"])
    assert canary.exists()


def test_the_refused_name_is_said() -> None:
    with pytest.raises(ValueError, match=r"refused: the pickle names os\.system, .*nothing of it was run"):
        read_data(named("os", "system", b"S'true'\n"))
    with pytest.raises(ValueError, match="refused") as caught:
        read_data(named("e\x1b[2Jvil\x07", "x" * 5000))
    assert "\x1b" not in str(caught.value) and len(str(caught.value)) < 400


def test_bombs_and_damage() -> None:
    laughs: Any = ["ha"] * 10
    for _ in range(12):
        laughs = [laughs] * 10
    with pytest.raises(ValueError, match="unfolds"):
        read_data(pickle.dumps(laughs))
    for deep in (b"(" * 200_000 + b"t" * 200_000 + b".", b"]" * 100_000 + b"a" * 99_999 + b".", b"N" + b"\x85" * 200_000 + b"."):
        with pytest.raises(ValueError, match="within each other"):
            read_data(deep)
    with pytest.raises(ValueError, match="key"):
        read_data(b"}N" + b"\x85" * 200_000 + b"Ns.")
    with pytest.raises(ValueError, match="contains itself"):
        read_data(b"]q\x00h\x00a.")
    with pytest.raises(ValueError, match="operations"):
        read_data(b"N0" * 3_000_000 + b"N.")
    for claim in (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62), b"T" + struct.pack("<i", -1), b"t.",
                  b"\x8b" + struct.pack("<i", 1 << 30), b"0.",
                  b"X" + struct.pack("<I", 1 << 31), b"I" + b"9" * 100_000 + b"\n.", b"h\x05.", b"j\xff\xff\xff\xff.", b"."):
        with pytest.raises(ValueError):
            read_data(claim)
    shape = pickletools.optimize(pickle.dumps((3,), 2))[2:-1]
    claims = pickle.dumps(np.zeros(3), protocol=2).replace(shape, b"J\xff\xff\xff\x7f\x85")
    with pytest.raises(ValueError, match="comes with"):
        read_data(claims)


def test_what_is_too_large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "f.pkl"
    path.write_bytes(pickle.dumps(np.zeros(1000)))
    for module, limit, said in ((safe_pickle, "MAX_FILE", "bytes; at most"), (pickle_values, "MAX_BYTES", "arrays hold more"),
                                (safe_pickle, "MAX_OPERATIONS", "operations"), (pickle_values, "MAX_NODES", "unfolds")):
        with monkeypatch.context() as patch, pytest.raises(ValueError, match=said):
            patch.setattr(module, limit, 5)
            read_data(path)


def test_what_the_unpickler_itself_could_be_made_to_do() -> None:
    """Hashes that take for ever, a memo of gigabytes, a million classes, classes changed by the file."""
    shared = b"(K\x01t" + b"2\x86" * 60  # each tuple holds the one before twice: 2**60 values to hash
    for use in (b"}" + shared + b"Ns.", b"}(" + shared + b"Nu.", b"(" + shared + b"Nd.", b"\x8f(" + shared + b"\x90.",
                b"(" + shared + b"\x91.", b"}" + shared + b"q\x000h\x00Ns."):
        with pytest.raises(ValueError, match="key"):
            read_data(b"\x80\x04" + use)
    with pytest.raises(ValueError, match="unfolds"):
        read_data(b"\x80\x04" + shared[:-40] + b".")
    long = b"(" + b"K\x01" * 1000 + b"tq\x00"
    for name in (b"cbuiltins\nset\n(", b"ccollections\nOrderedDict\n("):
        with pytest.raises(ValueError, match="key"):
            read_data(long + b"0" + name + b"]h\x00N\x86atR." if b"Ordered" in name else long + b"0" + name + b"]h\x00atR.")
    for put in (b"Nr\xff\xff\xff\x7f.", b"Np99999999999\n.", b"Np-1\n."):
        with pytest.raises(ValueError, match="memo entry"):
            read_data(put)
    with pytest.raises(ValueError, match="different classes"):
        read_data(b"".join(b"cchumpy.c%d\nCh\n0" % k for k in range(2000)) + b"N.")
    kind = b"cchumpy.ch\nCh\n"
    for state in (b"}S'args'\nNs", b"N}S'__call__'\ncbuiltins\nset\ns\x86", b"N"):
        with pytest.raises(ValueError):
            read_data(kind + state + b"b.")
        assert np.array_equal(read_data(kind + b")R}S'x'\nK\x07sb."), 7)


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_noise_is_refused_or_data(data: bytes) -> None:
    try:
        read_data(data)
    except ValueError as err:
        assert "\n" not in str(err)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_to_a_real_file_never_raises_anything_else(data: st.DataObject) -> None:
    raw = bytearray(pickle.dumps({"a": np.arange(4.0), "s": sp.csc_matrix(np.eye(2)), "t": torch.ones(2), "l": [1, "x", None]}))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    for piece in (bytes(raw), bytes(raw[:cut])):
        try:
            got = read_data(piece)
            if isinstance(got, dict) and isinstance(got.get("s"), sp.coo_matrix):
                assert got["s"].toarray().shape == got["s"].shape
        except ValueError as err:
            assert "\n" not in str(err)


def test_other_files_are_named(tmp_path: Path) -> None:
    for content, word in ((b"PK\x03\x04rest", "zip"), (b"\x1f\x8brest", "gzip"), (b"<!DOCTYPE html><html>", "web page"),
                          (b"version https://git-lfs.github.com/spec/v1\n", "LFS"), (b"", "empty")):
        (tmp_path / "f.pkl").write_bytes(content)
        with pytest.raises(ValueError, match=word):
            read_data(tmp_path / "f.pkl")
    with pytest.raises(FileNotFoundError):
        read_data(tmp_path / "none.pkl")
    with pytest.raises(ValueError, match="not a file"):
        read_data(tmp_path)


def test_hostile_npy_headers(tmp_path: Path) -> None:
    box = io.BytesIO()
    np.save(box, np.zeros(3))
    raw = box.getvalue()
    for bad in (raw[:40], raw[:-1], raw.replace(b"(3,)", b"(9999999999999,)"), b"\x93NUMPY\x09\x00" + raw[8:]):
        with pytest.raises(ValueError):
            read_data(bad)
