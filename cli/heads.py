"""`facelm head import|show|list` and `facelm convert`: other people's heads and parameters."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..face.head.model import HeadModel


def register(add: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the commands' parsers; ``add(name, help)`` makes one."""
    heads = add("head", "import and look at head models").add_subparsers(dest="head_command", metavar="SUBCOMMAND", required=True)
    p = heads.add_parser("import", help="a FLAME file (2020, 2023, 2023 Open) or an ICT-FaceKit head, made a facelm head")
    p.add_argument("path", metavar="FILE", help="generic_model.pkl, flame2023.pkl, flame2023_Open.pkl, an ICT-FaceKit .npz")
    p.add_argument("-o", "--out", required=True, metavar="HEAD.npz")
    p.add_argument("--landmarks", metavar="FILE", help="landmark_embedding.npy or flame_static_embedding.pkl, for FLAME")
    p.add_argument("--masks", metavar="FILE", help="FLAME_masks.pkl")
    p.add_argument("--eyelids", nargs=2, metavar=("LEFT.npy", "RIGHT.npy"),
                   help="blend shapes of the lids (l_eyelid.npy, r_eyelid.npy of SMIRK), which FLAME has not")
    p.add_argument("--edition", metavar="NAME", help="what to call it (default: read off the file's name)")
    p.add_argument("--json", action="store_true")
    p = heads.add_parser("show", help="what a head file holds")
    p.add_argument("path", nargs="?", metavar="HEAD.npz", help="default: the packaged head")
    p.add_argument("--png", metavar="FILE.png", help="draw it as well")
    p.add_argument("--json", action="store_true")
    p = heads.add_parser("list", help="the packaged head and the head files of a folder")
    p.add_argument("folder", nargs="?", default=".", metavar="DIR", help="default: this folder")
    p.add_argument("--json", action="store_true", help="one JSON object a line")

    p = add("convert", "parameters of other tools to a clip: VHAP, DECA, EMOCA, SMIRK, TDMM-LM, blend shapes, Live Link Face")
    p.add_argument("path", metavar="IN", help="a file or a folder of frames; the format is recognised by content")
    p.add_argument("-o", "--out", required=True, metavar="CLIP.npz")
    p.add_argument("--head", metavar="HEAD.npz", help="the head that the parameters drive; FLAME parameters need one")
    p.add_argument("--fps", type=float, metavar="F", help="frames per second (default: as the file says, else 25)")
    p.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Carry out ``head`` or ``convert``."""
    if args.command == "convert":
        return convert(args)
    return {"import": head_import, "show": head_show, "list": head_list}[args.head_command](args)


def facts(head: HeadModel) -> dict[str, Any]:
    """What a head is, for people and scripts."""
    return {"name": head.name, "edition": head.edition, "sha256": head.sha256, "vertices": head.n_vertices,
            "faces": len(head.faces), "identity": head.n_shape, "expressions": head.n_expr, "landmarks": len(head.lmk_names),
            "masks": sorted(head.masks), "license": head.meta.get("license"), "source": head.meta.get("source"),
            "source_sha256": head.meta.get("source_sha256"), "edition_known_by": head.meta.get("edition_known_by"),
            "notes": list(head.meta.get("notes", []))}


def head_import(args: argparse.Namespace) -> int:
    from ..face.io.heads.flame import describe_import, import_head
    from .commands import file_target

    target = file_target(args.out, ".npz")
    if target.exists() and Path(args.path).exists() and target.samefile(args.path):
        raise ValueError(f"{args.out} is the file to import; choose another name for the head")
    head = import_head(args.path, args.landmarks, args.masks, tuple(args.eyelids) if args.eyelids else None, args.edition)
    head.save(target)
    if args.json:
        print(json.dumps({"out": str(target), **facts(head)}))
    else:
        print("\n".join([*describe_import(head), f"written: {target}"]))
    return 0


def head_show(args: argparse.Namespace) -> int:
    from ..face.head.model import HeadModel
    from ..face.io.heads.flame import describe_import
    from .commands import file_target

    target = file_target(args.png, ".png") if args.png else None
    head = HeadModel.load(args.path) if args.path else HeadModel.default()
    if target is not None:
        draw(head, target)
    if args.json:
        print(json.dumps(facts(head)))
        return 0
    names = [n for n in head.expr_names if not n.startswith("expr_")]
    lines = [*describe_import(head), f"landmarks: {len(head.lmk_names)}; regions: {', '.join(sorted(head.masks)) or 'none'}"]
    if names:
        lines.append(f"named expressions: {', '.join(names)}")
    print("\n".join(lines + ([f"written: {target}"] if target is not None else [])))
    return 0


def draw(head: HeadModel, target: Path) -> None:
    """The head at rest as a picture."""
    from ..face.clip.sequence import FaceSequence
    from ..face.io.rendering import render

    seq = FaceSequence.rest(1, head.ref, n_expr=max(head.n_expr, 1), n_shape=head.n_shape)
    render(seq, target, head=head)


def head_list(args: argparse.Namespace) -> int:
    from ..face.head.model import HeadModel

    folder = Path(args.folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    found = [("(packaged)", HeadModel.default())]
    for path in sorted(folder.glob("*.npz")):
        try:
            found.append((str(path), HeadModel.load(path)))
        except (ValueError, OSError):
            continue  # clips and other archives lie beside heads
    for where, head in found:
        if args.json:
            print(json.dumps({"path": where, **facts(head)}))
        else:
            print(f"{where:<32s} {head.ref}: {head.n_vertices} vertices, {head.n_expr} expressions, "
                  f"{len(head.lmk_names)} landmarks")
    return 0


def convert(args: argparse.Namespace) -> int:
    from ..face.head.model import HeadModel
    from ..face.io.convert import read_parameters
    from .commands import file_target

    target = file_target(args.out, ".npz")
    if target.exists() and Path(args.path).exists() and target.samefile(args.path):
        raise ValueError(f"{args.out} is the file to convert; choose another name for the clip")
    head = HeadModel.load(args.head) if args.head else None
    found = read_parameters(args.path, head, args.fps)
    found.seq.save(target)
    seq = found.seq
    if args.json:
        print(json.dumps({"out": str(target), "format": found.format, "frames": len(seq), "fps": seq.fps,
                          "valid": int(seq.valid.sum()), "head": str(seq.head), "notes": list(found.notes)}))
        return 0
    print(f"recognised: {found.format}")
    print(f"{len(seq)} frames ({int(seq.valid.sum())} valid), {seq.seconds:.2f} s at {seq.fps:g} fps, head {seq.head}")
    print("\n".join([*(f"note: {note}" for note in found.notes), f"written: {target}"]))
    return 0
