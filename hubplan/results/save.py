"""A run folder: the tables of a plan, its lines, and a manifest of inputs, versions and seed."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import pyogrio

import hubplan
from hubplan.data.access import Access
from hubplan.data.scenario import scenario_from_dict
from hubplan.errors import DataError, Fault
from hubplan.results.cells import csv_to_table, table_to_csv
from hubplan.results.lines import cut_line, geojson_to_routes, routes_to_geojson
from hubplan.results.plan import TABLES, Plan, as_table

MANIFEST = "manifest.json"
_AGAIN = "write the run again with hubplan plan --force"


def require_free(folder: Path | str, *, force: bool = False) -> Path:
    """Make sure that a run may be written to a folder, before an hour is spent on solving it.

    Parameters
    ----------
    folder
        The run folder to be.
    force
        Allow a run folder that is there already; never any other folder, nor one that holds files no run wrote.

    Raises
    ------
    DataError
        Something is there that may not be replaced.
    """
    target = Path(folder).expanduser().absolute()
    blocking = next((parent for parent in target.parents if parent.exists()), target.parent)
    if not blocking.is_dir():
        raise DataError([Fault(str(folder), f"{blocking} is a file", "give a folder whose parents are folders")])
    if not target.exists() and not target.is_symlink():
        return target
    if not force:
        fix = "give another folder, or --force to replace the run in it"
        raise DataError([Fault(str(folder), "is there already", fix)])
    if target.is_symlink() or not target.is_dir():
        raise DataError([Fault(str(folder), "is no folder", "give another folder")])
    names = {path.name for path in target.iterdir()}
    if not names:
        return target
    if MANIFEST not in names:
        raise DataError([Fault(str(folder), "is no run folder: it has no manifest.json", "give another folder")])
    manifest = read_manifest(target)
    own = {MANIFEST, *manifest["tables"], *manifest["files"], "plan.gpkg-wal", "plan.gpkg-shm", "plan.gpkg-journal"}
    if names - own:
        found = f"holds what no run wrote: {', '.join(sorted(names - own))}"
        raise DataError([Fault(str(folder), found, "move that away first, or give another folder")])
    return target


def write_run(plan: Plan, folder: Path | str, *, force: bool = False, extra: Mapping[str, str] | None = None) -> Path:
    """Write a plan as a run folder, whole or not at all.

    Parameters
    ----------
    plan
        What to write.
    folder
        Made, with its parents. One that is there is replaced only with ``force``, and only if it is a run.
    extra
        Further files, name to text: ``map.html``, ``report.html``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        See `require_free` and `hubplan.results.cells.table_to_csv`; the folder is then as it was.

    Notes
    -----
    Files are written to a folder beside, brought to disk (fsync), and put in place by one rename.
    """
    target = require_free(folder, force=force)
    texts = {f"{name}.csv": table_to_csv(name, plan.table(name)) for name in TABLES}
    others = {"routes.geojson": routes_to_geojson(plan.routes), **_require_plain_names(extra or {}, set(texts))}
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        for name, text in {**texts, **others}.items():
            (beside / name).write_bytes(text.encode("utf-8"))
        write_geopackage(plan, beside / "plan.gpkg")
        manifest = build_manifest(plan)
        manifest["tables"] = {name: hash_file(beside / name) for name in sorted(texts)}
        manifest["files"] = {name: hash_file(beside / name) for name in sorted([*others, "plan.gpkg"])}
        text = json.dumps(manifest, ensure_ascii=False, indent=1, allow_nan=False)
        (beside / MANIFEST).write_bytes(f"{text}\n".encode())
        _bring_to_disk(beside)
        _put_in_place(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def _require_plain_names(extra: Mapping[str, str], taken: set[str]) -> dict[str, str]:
    own = taken | {MANIFEST, "routes.geojson", "plan.gpkg"}
    wrong = [name for name in extra if Path(name).name != name or name in own or name.startswith(".")]
    if wrong:
        found = f"{', '.join(wrong)} cannot be a further file of a run"
        raise DataError([Fault("extra", found, "use a plain file name")])
    return dict(extra)


def _bring_to_disk(folder: Path) -> None:
    folder.chmod(0o755)  # mkdtemp makes it private
    for path in [*sorted(folder.iterdir()), folder]:
        if path.is_dir() and os.name == "nt":
            continue  # a folder cannot be opened there
        handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _put_in_place(beside: Path, target: Path) -> None:
    """Rename the new folder to the target; an old one steps aside first, and comes back if that fails."""
    if not target.exists():
        beside.replace(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
    target.replace(aside / "run")
    try:
        beside.replace(target)
    except OSError:
        (aside / "run").replace(target)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def hash_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def build_manifest(plan: Plan) -> dict[str, Any]:
    """Say what a plan was made from, how, and how well (plain JSON values; an unknown number is null)."""
    access = plan.access
    return {
        "hubplan_version": hubplan.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": plan.status,
        "objective_usd": _finite(plan.objective_usd),
        "bound_usd": _finite(plan.bound_usd),
        "gap_share": _finite(plan.gap_share),
        "solver": plan.solver,
        "seed": plan.scenario.solver.seed,
        "seconds": {name: round(float(value), 3) for name, value in plan.seconds.items()},
        "counts": {name: int(value) for name, value in sorted(plan.counts.items())},
        "scenario": plan.scenario.resolved(),
        "access": {
            "members": sorted(access.members),
            "excluded": sorted(access.excluded),
            "closed": sorted(access.closed),
            "closed_ports": dict(sorted(access.closed_ports.items())),
            "barred_sites": dict(sorted(access.barred_sites.items())),
            "barred_facilities": dict(sorted(access.barred_facilities.items())),
            "modes": list(access.modes),
        },
        "periods": as_table("periods", plan.periods)[list(TABLES["periods"])].to_dict(orient="records"),
        "inputs": dict(sorted(plan.inputs.items())),
        "support": _plain(plan.support_facts),
    }


def _plain(value: Any) -> Any:
    """Values as JSON has them: text for keys, null for what is no number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return _finite(value) if isinstance(value, float) else value


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def write_geopackage(plan: Plan, path: Path) -> None:
    """Write the tables of a plan as layers for QGIS: hubs and sites as points, routes as lines, the others as tables.

    Lines are cut at the antimeridian; each carries the tonnes of all periods and commodities that go over it.
    """
    for name in TABLES:
        table = as_table(name, plan.table(name))
        if name in ("hubs", "sites"):
            points = gpd.points_from_xy(table["lon"], table["lat"])
            layer = gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")
            pyogrio.write_dataframe(layer, path, layer=name, driver="GPKG", geometry_type="Point")
        else:
            pyogrio.write_dataframe(table, path, layer=name, driver="GPKG")
    flow_t = plan.flows.groupby("route")["flow_t"].sum()
    routes = plan.routes.sort_values(["route", "leg"], ignore_index=True)[["route", "leg", "mode"]]
    lines = gpd.GeoDataFrame(
        routes.assign(flow_t=routes["route"].map(flow_t).astype(float).fillna(0.0)),
        geometry=[cut_line(line) for line in plan.routes.sort_values(["route", "leg"]).geometry],
        crs="EPSG:4326",
    )
    pyogrio.write_dataframe(
        lines, path, layer="routes", driver="GPKG", geometry_type="MultiLineString", promote_to_multi=True
    )


_MANIFEST_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("hubplan_version", "created", "status", "solver"), str),
    **dict.fromkeys(("objective_usd", "bound_usd", "gap_share"), (int, float, type(None))),
    **dict.fromkeys(("seconds", "counts", "scenario", "access", "inputs", "tables", "files"), dict),
    "periods": list,
}


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """Read the manifest of a run, checked for its keys.

    Raises
    ------
    DataError
        No run folder, not JSON, or a key is missing.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        found = error.strerror or str(error)
        raise DataError([Fault(str(path), found, "give a folder that hubplan plan wrote")]) from error
    except ValueError as error:
        raise DataError([Fault(str(path), f"is not JSON: {error}", _AGAIN)]) from error
    if not isinstance(manifest, dict):
        raise DataError([Fault(str(path), "is no JSON object", _AGAIN)])
    faults = [
        Fault(f"{path}, {key}", "is missing" if key not in manifest else "has the wrong type", _AGAIN)
        for key, kind in _MANIFEST_KINDS.items()
        if key not in manifest or not isinstance(manifest[key], kind)
    ]
    if faults:
        raise DataError(faults)
    return manifest


def find_altered(folder: Path | str, manifest: Mapping[str, Any]) -> list[Fault]:
    """Compare the files of a run with the hashes in its manifest."""
    faults = []
    for name, wanted in sorted({**manifest["tables"], **manifest["files"]}.items()):
        path = Path(folder) / name
        if Path(name).name != name or not path.is_file():
            faults.append(Fault(name, "is missing from the run folder", _AGAIN))
        elif hash_file(path) != wanted:
            faults.append(Fault(name, f"is not the file that was written: its SHA-256 is not {wanted}", _AGAIN))
    for name in [*(f"{table}.csv" for table in TABLES), "routes.geojson"]:
        if name not in manifest["tables"] and name not in manifest["files"]:
            faults.append(Fault(MANIFEST, f"does not list {name}", _AGAIN))
    return faults


def read_run(folder: Path | str, *, verify: bool = True) -> Plan:
    """Read a run folder back.

    Parameters
    ----------
    folder
        A folder that `write_run` wrote.
    verify
        Refuse a run with a file that was altered since. `hubplan.results.check.check_run` reads on, and says what.

    Raises
    ------
    DataError
        A file is missing, altered or not what it should be; all faults are listed.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    faults = find_altered(folder, manifest) if verify else []
    frames: dict[str, Any] = {}
    for name in [*(f"{table}.csv" for table in TABLES), "routes.geojson"]:
        try:
            text = (folder / name).read_bytes().decode("utf-8")
            stem = name.split(".")[0]
            frames[stem] = geojson_to_routes(text) if stem == "routes" else csv_to_table(stem, text)
        except OSError as error:
            faults.append(Fault(str(folder / name), error.strerror or str(error), _AGAIN))
        except UnicodeDecodeError:
            faults.append(Fault(str(folder / name), "is not UTF-8 text", _AGAIN))
        except DataError as error:
            faults.extend(error.faults)
    if faults:
        raise DataError(faults, f"run {folder.name} has {len(faults)} fault{'s' if len(faults) != 1 else ''}")
    return Plan(
        scenario=scenario_from_dict(manifest["scenario"], where=MANIFEST),
        access=_read_access(manifest["access"]),
        status=manifest["status"],
        objective_usd=_number(manifest["objective_usd"], math.nan),
        bound_usd=_number(manifest["bound_usd"], -math.inf),
        gap_share=_number(manifest["gap_share"], math.inf),
        seconds=manifest["seconds"],
        inputs=manifest["inputs"],
        solver=manifest["solver"],
        counts=manifest["counts"],
        support_facts=manifest.get("support", {}),
        **frames,
    )


def _number(value: float | None, unknown: float) -> float:
    return unknown if value is None else float(value)


def _read_access(raw: Mapping[str, Any]) -> Access:
    try:
        return Access(
            members=frozenset(raw["members"]),
            excluded=frozenset(raw["excluded"]),
            closed=frozenset(raw["closed"]),
            closed_ports=dict(raw["closed_ports"]),
            barred_sites=dict(raw["barred_sites"]),
            barred_facilities=dict(raw["barred_facilities"]),
            modes=tuple(raw["modes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError([Fault(f"{MANIFEST}, access", f"is not what it should be ({error})", _AGAIN)]) from error
