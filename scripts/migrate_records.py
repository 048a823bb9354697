"""Bring the records of margin-bench 0.1.0 (schema 2) to schema 3: the same results, with ids that last.

    python scripts/migrate_records.py RUNS_DIR

Every run below RUNS_DIR gets its new id, and its directory that name; what lies in it moves along. Its record loses the
paths of the machine that made it, and gains what records have by now. Nothing is run again and no number changes. A
run that something is wrong with is named and left as it is. Of several that are the same run by now, the one of most
worth gets the id: a finished one, the latest first. The others are named and left. To call it twice does no harm.
"""

import argparse
import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

sys.path.insert(0, str(Path(__file__).parents[1]))

from margin_bench.config.dotted import copied, put, take_out, value_at
from margin_bench.config.identity import BY_CONTENT, id_of, identity_by
from margin_bench.config.schema import FIRST_REVISION, OPEN_GROUPS
from margin_bench.config.sources import PACKAGE
from margin_bench.errors import MarginBenchError
from margin_bench.records.paths import text_without_paths, without_paths, words_without_paths, write_paths
from margin_bench.records.record import (
    DIVERGED,
    FAILED,
    FINISHED,
    MIGRATED,
    RECORD,
    RUNNING,
    SCHEMA,
    STOPPED,
    Record,
    checksum,
    write_record,
)
from margin_bench.runtime.files import sha256

# What did not count in 0.1.0.
NOT_IDENTITY_BEFORE = (
    *("workers", "devices", "runs_dir", "tracker", "evaluate_every", "dataset.root", "dataset.about", "loss.about"),
)

WEIGHTS = "weights.safetensors"
WORTH = (RUNNING, FAILED, STOPPED, DIVERGED, FINISHED)  # the least first


class LeftError(Exception):
    """Say why a record is left as it is."""


# What a record that is damaged or odd, or a folder that cannot be written, can raise.
CAUGHT = (LeftError, MarginBenchError, OSError, LookupError, TypeError, AttributeError, ValueError, RuntimeError)


def main() -> int:
    """Migrate all records of a folder; return 1 if some are left."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs_dir", type=Path)
    runs_dir = parser.parse_args().runs_dir
    if not runs_dir.is_dir():
        parser.error(f"{runs_dir} is no folder; give the one that holds the directories of runs")
    num_done, num_there, num_left = 0, 0, 0
    run_dirs = sorted(path.parent for path in runs_dir.rglob(RECORD))
    for run_dir in sorted(run_dirs, key=_worth, reverse=True):
        try:
            new_dir = migrate(run_dir)
        except CAUGHT as error:
            num_left += 1
            print(f"left: {run_dir / RECORD}: {_why(error)}")
            continue
        num_done, num_there = num_done + bool(new_dir), num_there + (not new_dir)
        if new_dir:
            print(f"{run_dir} -> {new_dir.name}")
    print(f"{num_done} brought to schema {SCHEMA}, {num_there} of it before, {num_left} left")
    return 1 if num_left else 0


def migrate(run_dir: Path) -> Path | None:
    """Migrate one run, if it is not yet; return its new directory.

    The directory is renamed first. Where the record cannot be written after that, it gets its old name again.

    Raises:
        LeftError: the record is damaged or of another version, or its new directory is there already.
        Exception: one of CAUGHT, where the record is odd or the folder cannot be written.
    """
    with _owned(run_dir):
        record = _read(run_dir)
        if record.pop("schema") == SCHEMA:
            return None
        new, paths = migrated(record)
        new_dir = run_dir.with_name(new["run_id"]) if run_dir.name == record["run_id"] else run_dir
        if new_dir != run_dir:
            if new_dir.exists():
                raise LeftError(_same_run(run_dir, new_dir))
            run_dir.rename(new_dir)
        try:
            _write(new_dir, new, paths)
        except BaseException:
            new_dir.rename(run_dir)
            raise
        return new_dir


def _write(run_dir: Path, record: Record, paths: dict[str, Any]) -> None:
    if (run_dir / WEIGHTS).exists():  # so that it can be scored on its data again
        write_paths(run_dir, {key: path for key, path in paths.items() if _is_here(path)})
    write_record(run_dir, record)


def _same_run(run_dir: Path, there: Path) -> str:
    """Say what to do where a run's new directory is there already."""
    same = f"it is the same run as {there}, which is there already"
    if _worth(run_dir) > _worth(there):
        return f"{same} and is worth less; move {there} elsewhere or delete it, then call this again"
    return f"{same} and is worth as much or more; move {run_dir} elsewhere or delete it"


def _worth(run_dir: Path) -> tuple[int, str]:
    """Return the worth of a run: that of its status, then the time of its end; the least if its record is odd."""
    try:
        record = _read(run_dir)
        return WORTH.index(record["status"]), str(record["ended"])
    except CAUGHT:
        return -1, ""


def _why(error: Exception) -> str:
    if isinstance(error, (LeftError, MarginBenchError, OSError)):
        return " ".join(str(error).split())
    return f"it is not as records are: {type(error).__name__}: {' '.join(str(error).split())}"


def migrated(record: Record) -> tuple[Record, dict[str, Any]]:
    """Return a record as it is by now, and the paths that it had.

    Raises:
        LeftError: its id is not that of its configuration, or a file that counts by its content is not there.
    """
    config = copied(record["config"])
    digests = record.get("files_sha256") or _digests(config)
    if id_before(config, digests) != record["run_id"]:
        raise LeftError(f"{record['run_id']} is not the id of its configuration and of the files that this names")
    for group in OPEN_GROUPS:
        config[group].setdefault("revision", FIRST_REVISION)
    short, paths = without_paths(config)
    environment = record["environment"]
    return {
        **record,
        "run_id": id_of(identity_by(config, digests)),
        "config": short,
        "files_sha256": digests,
        "scores_sha256": record.get("scores_sha256"),
        "environment": {**environment, "command": words_without_paths(environment["command"])},
        "error": record["error"] and text_without_paths(record["error"], paths),
    }, paths


def id_before(config: dict[str, Any], digests: dict[str, str]) -> str:
    """Return the id that a run had in 0.1.0."""
    content = copied(config)
    for key in (*NOT_IDENTITY_BEFORE, *BY_CONTENT):
        take_out(content, key)
    for key, digest in digests.items():
        put(content, f"{key}_sha256", digest)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()[:10]
    loss = content["loss"]
    names = [content["dataset"]["name"], content["backbone"]["name"], loss["name"], loss.get("way")]
    safe = (
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in str(name)) for name in names if name
    )
    readable = (name.replace(".", "_") if name in (".", "..") else name for name in safe)
    return "-".join([*readable, f"seed{content['seed']}", digest])


def _digests(config: dict[str, Any]) -> dict[str, str]:
    """Return the checksums of the files that a configuration names, which the first records did not have."""
    named = {key: value_at(config, key) for key in BY_CONTENT}
    return {key: _digest(key, Path(path)) for key, path in named.items() if path is not None}


def _digest(key: str, path: Path) -> str:
    for place in (path, PACKAGE / "weights" / path.name):
        if place.is_file():
            return sha256(place)
    raise LeftError(f"{key}={path} is not there, and so its content is not known")


def _is_here(path: Any) -> bool:
    return isinstance(path, str) and Path(path).exists()


def _read(run_dir: Path) -> Record:
    """Return a record of schema 2 or of that of now, with its "schema"."""
    path = run_dir / RECORD
    if not path.is_file():  # a pipe would be waited for
        raise LeftError("it is no regular file")
    try:
        record: Record = json.loads(path.read_bytes())
        schema = record["schema"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise LeftError(f"it cannot be read as the record of a run: {error}") from error
    if schema not in (MIGRATED, SCHEMA):
        raise LeftError(f"it has schema {schema!r}; only {MIGRATED} can be brought to {SCHEMA}")
    if record.pop("sha256", None) != checksum(record):
        raise LeftError("it was changed after it was written: its checksum is wrong")
    return record


@contextlib.contextmanager
def _owned(run_dir: Path) -> Iterator[None]:
    """Own a run for the time of the block, if it was ever owned: committed records never were."""
    lock = run_dir / ".lock"
    if not lock.exists():
        yield
        return
    try:
        with FileLock(lock, blocking=False):
            yield
    except Timeout as error:
        raise LeftError("the run is going on") from error


if __name__ == "__main__":
    sys.exit(main())
