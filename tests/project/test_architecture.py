"""The shape of the repository: imports point down, packages are declared, nothing is unpickled."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from facelm.benchmarks.compared.ablations import Ablation
from facelm.common.config import read_settings
from facelm.data_gen.corpus.recipe import load_recipe as load_build
from facelm.data_gen.prompts.suite import PromptConfig
from facelm.data_gen.video.t2v import load_config as load_t2v
from facelm.eval.baselines.i2fet.config import Recipe as BaselineRecipe
from facelm.eval.baselines.motion.config import Recipe as PeerRecipe
from facelm.eval.transitions.options import load_recipe as load_transitions
from facelm.llm.config import load_config
from facelm.tokenizer.config import TokenizerRecipe

ROOT = Path(__file__).resolve().parents[2]
SKIP = {"__pycache__"}
OUTPUTS = {"build", "dist", "out", "runs"}
"""Folders of the root that hold no source."""
TEXT = {".py", ".md", ".yaml", ".toml", ".ipynb", ".txt"}

# Which package may import which. Downwards everything is allowed; among the siblings of the middle
# layer (data_gen, llm, eval) only eval may read the corpus' facts. "" is the root: the version.
ALLOWED: dict[str, set[str]] = {
    "common": set(),
    "face": {"common"},
    "tokenizer": {"common", "face"},
    "data_gen": {"common", "tokenizer", "face"},
    "llm": {"common", "tokenizer", "face"},
    "eval": {"common", "data_gen", "llm", "tokenizer", "face"},
    "agent": {"common", "data_gen", "llm", "tokenizer", "face"},
    "cli": {"", "common", "agent", "data_gen", "llm", "eval", "tokenizer", "face"},
    "benchmarks": {"common", "cli", "agent", "data_gen", "llm", "eval", "tokenizer", "face"},
}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, relative to the root."""
    found = []
    for folder, names, here in os.walk(ROOT):
        skip = SKIP | OUTPUTS if Path(folder) == ROOT else SKIP
        names[:] = [n for n in names if n not in skip and not n.startswith(".") and not n.endswith(".egg-info")]
        found += [Path(folder, n).relative_to(ROOT) for n in here]
    return tuple(sorted(found))


@cache
def library() -> dict[Path, ast.Module]:
    """The package's modules, parsed."""
    return {p: ast.parse((ROOT / p).read_text(encoding="utf-8")) for p in files()
            if p.suffix == ".py" and (len(p.parts) == 1 or p.parts[0] in ALLOWED)}


def imported_package(node: ast.ImportFrom, path: Path) -> str | None:
    """The top package that a relative import in ``path`` reads; None for one that stays outside facelm."""
    if node.level == 0:
        return None
    base = path.parts[:-1][:len(path.parts) - node.level]
    full = (*base, *(node.module or "").split("."))
    return next((part for part in full if part), "")


def edges(tree: ast.Module, path: Path) -> list[tuple[str, int]]:
    """(package, line) of every import of another package of facelm, wherever in the file it stands."""
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            package = imported_package(node, path)
            if package == "":  # `from .. import x`: x is a package or a name of the root
                out += [(a.name if a.name in ALLOWED else "", node.lineno) for a in node.names]
            elif package is not None and package != path.parts[0]:
                out.append((package, node.lineno))
    return out


def offences(modules: dict[Path, ast.Module]) -> list[str]:
    """Imports that ALLOWED does not list."""
    return [f"{path}:{line} imports {package or 'the root'}" for path, tree in modules.items() if len(path.parts) > 1
            for package, line in edges(tree, path) if package not in ALLOWED[path.parts[0]]]


def dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""


def unsafe_calls(tree: ast.Module) -> list[str]:
    """Calls that execute or unpickle what a file or a user hands in."""
    out = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        words = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if (name in {"eval", "exec", "os.system", "yaml.load", "yaml.unsafe_load"}
                or re.fullmatch(r"(c?[pP]ickle|dill|joblib|marshal)\.(load|loads)", name)
                or (name == "torch.load" and words.get("weights_only") != "True")
                or words.get("allow_pickle", "False") != "False" or words.get("shell", "False") != "False"):
            out.append(f"line {node.lineno}: {ast.unparse(node)[:80]}")
    return out


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


# -- imports ----------------------------------------------------------------------------
def test_imports_point_down() -> None:
    assert offences(library()) == []


def test_the_package_graph_has_no_circle() -> None:
    used: dict[str, set[str]] = {name: set() for name in ALLOWED}
    for path, tree in library().items():
        if len(path.parts) > 1:
            used[path.parts[0]] |= {package for package, _ in edges(tree, path)}
    assert used["cli"] and used["agent"] and used["tokenizer"] == {"common", "face"}, "the imports were not read"
    for graph in (ALLOWED, used):
        list(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize(("path", "line", "expected"), [
    ("face/head/model.py", "from ...tokenizer.codec import FaceTokenizer", 1),
    ("face/head/model.py", "from ... import tokenizer", 1),
    ("face/head/model.py", "from .layer import HeadLayer", 0),
    ("llm/train.py", "def f():\n    from ..data_gen import corpus", 1),
    ("eval/baselines/x.py", "from ...data_gen.script import Script", 0),
    ("eval/baselines/x.py", "from ...agent.pipeline import FaceLM", 1),
    ("eval/baselines/x.py", "from ..metrics import Counts", 0),
    ("cli/main.py", "from .. import __version__", 0),
])
def test_the_import_check_sees_what_it_should(path: str, line: str, expected: int) -> None:
    assert len(offences({Path(path): ast.parse(line)})) == expected


def test_library_imports_itself_relatively() -> None:
    absolute = [f"{p}:{n.lineno}" for p, tree in library().items() for n in ast.walk(tree)
                if isinstance(n, ast.Import) and any(a.name.split(".")[0] == "facelm" for a in n.names)
                or isinstance(n, ast.ImportFrom) and n.level == 0 and (n.module or "").split(".")[0] == "facelm"]
    assert absolute == []


def test_lazy_names_exist() -> None:
    """The classes that `from facelm import X` promises are defined where the root looks for them."""
    import facelm

    assert set(facelm._WHERE) == set(facelm.__all__) - {"__version__"}
    for name, module in facelm._WHERE.items():
        tree = library()[Path(*module.strip(".").split(".")).with_suffix(".py")]
        assert name in {n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}, (name, module)


def test_help_loads_nothing_heavy() -> None:
    code = ("import sys, facelm.cli.main as m; m.main(['--help']); "
            "print(sorted({'torch', 'transformers', 'numpy', 'scipy', 'numba', 'pydantic', 'yaml'} & set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "generate" in done.stdout and done.stdout.splitlines()[-1] == "[]"


# -- packaging --------------------------------------------------------------------------
def test_commands_between_tools_load_no_model_library() -> None:
    """Half of the time of an export was the import of torch, which it has no use for."""
    code = ("import sys, facelm.agent.exchange, facelm.agent.media, facelm.agent.measuring, facelm.agent.file_tools, "
            "facelm.agent.clip_tools; print([m for m in ('torch', 'transformers', 'sklearn', 'numba') if m in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_declared_packages_are_the_folders_with_an_init() -> None:
    folders = {".".join(("facelm", *p.parent.parts)) for p in files() if p.name == "__init__.py"}
    assert set(pyproject()["tool"]["setuptools"]["packages"]) == folders


def test_package_data_patterns_match_what_ships() -> None:
    patterns = pyproject()["tool"]["setuptools"]["package-data"]["facelm"]
    shipped = [p for p in files() if p.parts[0] in {"configs", "weights"} or p.parts[:2] == ("face", "assets")
               or (p.suffix == ".yaml" and p.parts[0] in ALLOWED)]
    assert {Path("face/assets/head_default.npz"), Path("data_gen/text/words/actions.yaml")} <= set(shipped)
    matched = {p.relative_to(ROOT) for pattern in patterns for p in ROOT.glob(pattern)}
    assert [str(p) for p in (Path("py.typed"), *shipped) if p not in matched] == []


def test_entry_point_and_extras_exist() -> None:
    project = pyproject()["project"]
    module, name = project["scripts"]["facelm"].removeprefix("facelm.").split(":")
    tree = library()[Path(*module.split(".")).with_suffix(".py")]
    assert name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    extras = set(project["optional-dependencies"])
    readable = [p for p in files() if p.suffix in {".py", ".md"} or p.name == "Makefile"]
    texts = [(p, (ROOT / p).read_text(encoding="utf-8")) for p in readable]
    texts += [(Path("pyproject.toml"), " ".join(sum(project["optional-dependencies"].values(), [])))]
    named = {(str(p), extra.strip()) for p, text in texts
             for group in re.findall(r"(?:facelm|[\s'\"]\.)\[([a-z, ]+)\]", text) for extra in group.split(",")}
    named |= {(str(p), extra) for p, text in texts for extra in re.findall(r'\brequire\("[\w.]+", (?:extra=)?"(\w+)"', text)}
    assert ("data_gen/corpus/shards.py", "data") in named, "the messages were not read"
    assert sorted(x for x in named if x[1] not in extras) == []


# -- safety and tidiness ----------------------------------------------------------------
def test_the_library_executes_and_unpickles_nothing() -> None:
    assert {str(p): calls for p, tree in library().items() if (calls := unsafe_calls(tree))} == {}


@pytest.mark.parametrize(("code", "expected"), [
    ("eval(text)", 1), ("model.eval()", 0), ("pickle.load(f)", 1), ("pickle.dump(x, f)", 0), ("torch.load(f)", 1),
    ("torch.load(f, weights_only=False)", 1), ("torch.load(f, weights_only=True)", 0),
    ("np.load(f, allow_pickle=True)", 1), ("np.load(f, allow_pickle=False)", 0), ("yaml.load(f)", 1),
    ("yaml.safe_load(f)", 0), ("subprocess.run(c, shell=True)", 1),
])
def test_the_safety_check_sees_what_it_should(code: str, expected: int) -> None:
    assert len(unsafe_calls(ast.parse(code))) == expected


def test_files_and_folders_stay_small() -> None:
    python = [p for p in files() if p.suffix == ".py"]
    lines = {str(p): len((ROOT / p).read_text(encoding="utf-8").splitlines()) for p in python}
    assert {p: n for p, n in lines.items() if n > 450} == {}
    modules = Counter(str(p.parent) for p in python if p.name != "__init__.py")
    assert {folder: n for folder, n in modules.items() if n > 12} == {}


def test_every_package_says_what_lives_there_and_what_it_may_import() -> None:
    packages = {p: (ROOT / p).read_text(encoding="utf-8") for p in library() if p.name == "__init__.py" and len(p.parts) > 1}
    assert len(packages) > 20
    assert sorted(str(p) for p, text in packages.items() if not re.match(r'"""[A-Z].*?[Ii]mports? ', text, re.DOTALL)) == []


def test_no_absolute_paths() -> None:
    pattern = re.compile(r"(?<![\w.~])/(?:home|tmp|work|root|mnt|opt|Users|private|var)/\w|\b[A-Z]:\\\\?(?:Users|home)")
    assert pattern.search(f"x = '/{'tmp'}/y'") and not pattern.search("https://a.org/home/x ~/.cache a/tmp/b")
    found = [f"{p}: {m.group()}" for p in files() if p.suffix in TEXT or p.name == "Makefile"
             for m in pattern.finditer((ROOT / p).read_text(encoding="utf-8"))]
    assert found == []


def test_every_config_parses() -> None:
    configs = [p for p in files() if p.parts[0] == "configs" and p.suffix == ".yaml"]
    assert len(configs) >= 7
    folders = {"prompts": PromptConfig, "t2v": load_t2v, "data": load_build, "i2fet": BaselineRecipe, "peers": PeerRecipe,
               "ablations": Ablation, "transitions": load_transitions}
    assert folders.keys() == {p.parts[1] for p in configs if len(p.parts) > 2}
    for path in configs:
        at_root = {"lm": load_config, "tokenizer": TokenizerRecipe}
        reader = folders[path.parts[1]] if len(path.parts) > 2 else at_root[path.stem.split("_")[0]]
        read_settings(reader, ROOT / path) if isinstance(reader, type) else reader(ROOT / path)


def test_every_relative_link_exists() -> None:
    missing, seen = [], 0
    for path in (p for p in files() if p.suffix == ".md"):
        text = re.sub(r"```.*?```", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:|#", target):
                continue
            seen += 1
            if not (ROOT / path.parent / target.split("#")[0]).exists():
                missing.append(f"{path} -> {target}")
    assert seen > 10
    assert missing == []


def test_every_file_that_the_docs_name_exists() -> None:
    folders = {p.parts[0] for p in files() if len(p.parts) > 1}
    named = {(str(p), name) for p in files() if p.suffix == ".md"
             for name in re.findall(r"`([\w./-]+\.(?:py|md|yaml|npz|ipynb|txt))`", (ROOT / p).read_text("utf-8"))
             if name.split("/")[0] in folders}
    assert ("docs/actions.md", "tests/face/facs/test_actions.py") in named, "the names were not read"
    assert sorted(f"{p}: {name}" for p, name in named if not (ROOT / name).exists()) == []
