"""An agent on the released tokenizer whose language model reads from a table and performs as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from facelm.agent.motion.reading import BEFORE, plain
from facelm.agent.motion.windows import Performer
from facelm.agent.pipeline import FaceLM
from facelm.data_gen.reading.rules import read_rules
from facelm.data_gen.text.quantities import Marked, find_quantities
from facelm.face.clip.channels import EXPR_NAMES
from facelm.face.clip.sequence import FaceSequence
from facelm.face.facs.poses import POSE_CHANNELS
from facelm.face.facs.schedule import Schedule
from facelm.face.facs.script import Script
from facelm.face.facs.script_text import read_script
from facelm.face.head.model import HeadModel
from facelm.llm.generate import Reading, Sampling
from facelm.llm.grammar.plans import Step, parse_plan
from facelm.llm.grammar.script_tokens import Quantities, ScriptTokens, write
from facelm.llm.grammar.windows import Window
from facelm.tokenizer.codec import FaceTokenizer

WEIGHTS = Path(__file__).resolve().parents[3] / "weights/tokenizer"
needs_tokenizer = pytest.mark.skipif(not (WEIGHTS / "config.json").is_file(), reason="needs the released tokenizer")

LINES = {"smile": "mouth_open", "a nod": "nod x2", "a smile": "mouth_open", "frown": "brow_lower", "turn right": "turn right",
         "moonwalk": "nod; unknown moonwalk", "nod slowly turn left": "nod slow; turn left", "stay still": "mouth_open; still"}
"""Lines whose tokens show what they say: the released tokenizer keeps it, and the first plan is taken."""
LIKELIEST = Sampling(0.0)
Right = Callable[[Window, tuple[int, int]], bool]


class ScriptedLM:
    """Performs windows as the procedural animator does, or, where ``right`` says no, not at all.

    Args:
        tokenizer: the motion tokenizer.
        lines: text -> the line that it is read as; "mouth_open" for others.
        right: whether a draw (a window, its pair of seeds) does what the window says.
    """

    def __init__(self, tokenizer: FaceTokenizer, lines: dict[str, str] | None = None, right: Right = lambda *_: True) -> None:
        self.vocabulary = SimpleNamespace(script=ScriptTokens.default(), layout=tokenizer.layout)
        self.batch_size = 4
        self.tasks, self.performer = ("read", "perform"), "model"
        self.lines = {find_quantities(plain(k)).text: v for k, v in (LINES if lines is None else lines).items()}
        self.right = right
        self.wanted: dict[Window, np.ndarray] = {}
        self.texts: list[str] = []
        self.draws: list[tuple[Window, tuple[int, int], float]] = []

    def read(self, texts: Sequence[str], quantities: Sequence[Quantities], sampling: Sampling = LIKELIEST,
             draws: Sequence[int] | None = None) -> list[Reading]:
        assert len(texts) == len(quantities)
        self.texts += texts
        return [Reading(read_script(self.lines.get(t, "mouth_open")), 0.0) for t in texts]

    def likelihoods(self, texts: Sequence[str], items: Sequence[Sequence[object]]) -> np.ndarray:
        """What the table says is sure."""
        wanted = [read_script(self.lines.get(t, "mouth_open")) for t in texts]
        return np.array([0.0 if list(i) == write(w, Quantities()) else -50.0 for i, w in zip(items, wanted, strict=True)])

    def perform_windows(self, windows: Sequence[Window], before: Sequence[Sequence[int] | None], seeds: Sequence[tuple[int, int]],
                        sampling: Sampling = LIKELIEST) -> list[np.ndarray]:
        self.draws += [(w, s, sampling.temperature) for w, s in zip(windows, seeds, strict=True)]
        rest = np.array([self.vocabulary.layout.rest_codes])
        return [self.wanted[w] if self.right(w, s) else np.repeat(rest, w.steps, axis=0)
                for w, s in zip(windows, seeds, strict=True)]

    def plan(self, texts: Sequence[str], clips: Sequence[Sequence[str]],
             quantities: Sequence[Quantities], sampling: Sampling = LIKELIEST,
             names: Iterable[str] | None = None) -> list[tuple[tuple[Step, ...], float]]:
        """No plan: the rules read every line."""
        return [((), 0.0)] * len(texts)

    def describe(self, motions: Sequence[np.ndarray]) -> list[str]:
        return ["A face."] * len(motions)

    def ask(self, motion: np.ndarray, question: str) -> str:
        return "Never."


def scripted_agent(lines: dict[str, str] | None = None, right: Right = lambda *_: True) -> FaceLM:
    tokenizer = FaceTokenizer.from_pretrained(WEIGHTS)
    return FaceLM(tokenizer, ScriptedLM(tokenizer, lines, right))  # type: ignore[arg-type]


@pytest.fixture(autouse=True, scope="session")
def what_windows_mean() -> None:
    """Every schedule that is planned tells the language model what its windows look like."""
    animated = Performer.animated

    def told(self: Performer, schedule: Schedule, window: Window | None = None) -> np.ndarray:
        codes = animated(self, schedule, window)
        if isinstance(self.lm, ScriptedLM) and window is not None:
            self.lm.wanted[window] = codes[-window.steps:]
        return codes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Performer, "animated", told)
        yield


def still(frames: int = 10, fps: float = 25.0, seed: int = 0, **channels: float) -> FaceSequence:
    """A person who holds channel values (ARKit names, angles in radians), with a head and a gaze of their own."""
    head = HeadModel.default()
    rng = np.random.default_rng(seed)
    clip = FaceSequence.rest(frames, head.ref, n_expr=head.n_expr, n_shape=head.n_shape, fps=fps)
    expr, jaw = clip.expr.copy(), clip.jaw_pose.copy()
    for name, value in channels.items():
        if name in POSE_CHANNELS:
            assert name.startswith("jaw")
            jaw[:, "xyz".index(name[-1])] = value
        else:
            expr[:, EXPR_NAMES.index(name)] = value
    field = {n: np.repeat(rng.normal(0, 0.15, (1, getattr(clip, n).shape[1])), frames, axis=0).astype(np.float32)
             for n in ("rotation", "neck_pose", "eyes_pose", "translation")}
    field["translation"] = np.abs(field["translation"])  # well behind z = -0.1 it would be in a camera's frame
    return clip.replace(expr=expr, jaw_pose=jaw, shape=rng.normal(0, 1, head.n_shape).astype(np.float32), **field)


class RuleLM:
    """Reads as the rules do, performs nothing, and knows the plans of a table alone."""

    def __init__(self, tokenizer: FaceTokenizer, plans: dict[str, str] | None = None) -> None:
        self.plans = {find_quantities(k).text: v for k, v in (plans or {}).items()}
        self.vocabulary = SimpleNamespace(script=ScriptTokens.default(), layout=tokenizer.layout)
        self.batch_size = 4
        self.tasks, self.performer = ("read",), "model"

    def read(self, texts: Sequence[str], quantities: Sequence[Quantities], sampling: Sampling | None = None,
             draws: Sequence[int] | None = None) -> list[Reading]:
        ruled = [read_rules(Marked(t, q.t, q.p, q.c)) for t, q in zip(texts, quantities, strict=True)]
        return [Reading(r.script if r is not None else Script(), 0.0) for r in ruled]

    def likelihoods(self, texts: Sequence[str], items: Sequence[object]) -> np.ndarray:
        return np.zeros(len(texts))

    def plan(self, texts: Sequence[str], clips: Sequence[Sequence[str]],
             quantities: Sequence[Quantities], sampling: Sampling = LIKELIEST,
             names: Iterable[str] | None = None) -> list[tuple[tuple[Step, ...], float]]:
        """Plans of the table; a line that is not in it is left to the rules."""
        return [(parse_plan(self.plans[t]) if t in self.plans else (), 0.0) for t in (x.split(BEFORE)[-1] for x in texts)]


def rule_agent(plans: dict[str, str] | None = None) -> FaceLM:
    tokenizer = FaceTokenizer.from_pretrained(WEIGHTS)
    return FaceLM(tokenizer, RuleLM(tokenizer, plans), HeadModel.default())  # type: ignore[arg-type]
