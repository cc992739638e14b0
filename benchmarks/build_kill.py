"""A build that is killed at random moments ends with the same bytes as one that was left alone.

    python benchmarks/build_kill.py --recipe configs/data/performer_tiny.yaml --kills 3 --workers 2

Runs the real command in a process group of its own and kills the whole group (SIGKILL) when a drawn
number of records is on disk; then lets it finish and compares every file but the logs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(args: argparse.Namespace, out: Path) -> list[str]:
    line = [sys.executable, "-m", "facelm.cli", "data", "build", "--recipe", args.recipe, "-o", str(out / "fitted"),
            "--truth-out", str(out / "true"), "--workers", str(args.workers)]
    return line + (["--clips", str(args.clips)] if args.clips else [])


def records(out: Path) -> int:
    # a walk, unlike rglob, passes over a folder that is renamed meanwhile
    return sum(name.endswith(".json") for _, _, names in os.walk(out / "fitted" / "build") for name in names)


def digests(out: Path) -> dict[str, str]:
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(out.rglob("*"))
            if p.is_file() and "logs" not in p.parts and p.name != ".lock"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default=str(Path(__file__).resolve().parents[1] / "configs" / "data" / "performer_tiny.yaml"))
    parser.add_argument("--clips", type=int, help="instead of the recipe's number")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", help="folder of the builds, kept; it must not hold one (default: a temporary one)")
    parser.add_argument("--against", help="compare with this finished build instead of making one (its truth in DIR/../true)")
    args = parser.parse_args()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.work or temporary)
        if (folder / "killed").exists():
            parser.error(f"{folder} holds a build; name another folder")
        calm, killed = Path(args.against).parent if args.against else folder / "calm", folder / "killed"
        if not args.against:
            subprocess.run(command(args, calm), check=True)
        total = records(calm)
        for moment in sorted(draw.sample(range(1, max(total, args.kills + 1)), args.kills)):
            process = subprocess.Popen(command(args, killed), start_new_session=True, stdout=subprocess.DEVNULL)
            while process.poll() is None:
                began = time.perf_counter()
                if records(killed) >= moment:
                    break
                time.sleep(max(0.02, 50 * (time.perf_counter() - began)))  # counting must not slow a large build down
            at = records(killed)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            print(f"killed with {at} of {total} records on disk (exit code {process.wait()})", flush=True)
        subprocess.run(command(args, killed), check=True)
        a, b = digests(calm), digests(killed)
        differing = sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k))
        print(f"{len(a)} files: {'identical' if not differing else 'DIFFERENT: ' + ', '.join(differing[:5])}")
    return bool(differing)


if __name__ == "__main__":
    sys.exit(main())
