"""Make every extract under ``geodata/network`` again: ``python geodata/make/build.py``.

Needs ``pip install 'hubplan[geodata]'`` and either npm or ``--atlas``, the unpacked package ``world-atlas`` 2.0.2.
The same sources and repairs give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

import land

GEODATA = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=GEODATA, help="folder that gets network/ (default: geodata)")
    parser.add_argument("--atlas", type=Path, help="unpacked npm package world-atlas 2.0.2 (default: fetched with npm)")
    parser.add_argument("--only", choices=("land", "sea"), help="make one part")
    parser.add_argument(
        "--find-bridges", action="store_true", help="first search for broken joins and rewrite repairs/bridges.csv"
    )
    args = parser.parse_args()
    if args.find_bridges:
        land.find_bridges(atlas=args.atlas)
    if args.only != "sea":
        land.build(args.out, atlas=args.atlas)
    if args.only != "land":
        import sea

        sea.build(args.out / "network")
    if args.out == GEODATA:
        subprocess.run(
            [sys.executable, str(GEODATA / "make" / "describe.py")], check=True
        )  # new hashes for datapackage.json
    for path in sorted((args.out / "network").rglob("*.npz")):
        digest, size = hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size / 1e6
        sys.stdout.write(f"{digest}  {path.relative_to(args.out)}  {size:.2f} MB\n")


if __name__ == "__main__":
    main()
