"""Write and read the record of a run: one JSON file in its directory, whole in itself, with a checksum of its content.

Imports nothing heavy: tables are made from records without torch.
"""

import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from margin_bench.errors import CheckpointError
from margin_bench.records.paths import words_without_paths
from margin_bench.runtime.files import read_regular, sha256, write_atomic
from margin_bench.runtime.hardware import cpu_entry, memory_bytes, usable_cores

Record = dict[str, Any]

SCHEMA = 3
MIGRATED = 2  # the schema that scripts/migrate_records.py brings to this one
RECORD = "record.json"
RUNNING, FINISHED, FAILED, DIVERGED, STOPPED = "running", "finished", "failed", "diverged", "stopped"

_PACKAGES = ("margin_bench", "torch", "torchvision", "timm", "numpy", "pillow", "scikit-learn", "hydra-core")
_REPOSITORY = Path(__file__).parents[2]


def write_record(run_dir: Path, record: dict[str, Any]) -> None:
    """Write a run's record, in the place of an earlier one.

    Args:
        run_dir: the run's directory; made if it is not there.
        record: what JSON can say. "schema" and "sha256" are added in the file.

    Raises:
        ValueError: a number is not finite.
        CheckpointError: it cannot be written.
    """
    assert not {"schema", "sha256"} & record.keys(), "these two are added here"
    content = json.loads(json.dumps({"schema": SCHEMA, **record}, allow_nan=False))
    text = json.dumps({**content, "sha256": checksum(content)}, indent=2, allow_nan=False)
    write_atomic(run_dir / RECORD, f"{text}\n".encode())


def read_record(run_dir: Path) -> dict[str, Any] | None:
    """Return the record that `write_record` was given; None where there is none.

    Raises:
        CheckpointError: it cannot be read, was changed since, or comes from another version of this program.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_record(Path(folder), {"status": FINISHED, "metrics": {"map_class": 0.5}})
        ...     read_record(Path(folder))
        {'status': 'finished', 'metrics': {'map_class': 0.5}}
    """
    path = run_dir / RECORD
    try:
        content = json.loads(read_regular(path), parse_constant=_refuse)
    except FileNotFoundError:
        return None
    except NotADirectoryError as error:
        raise CheckpointError(f"{path.parent} lies in a file. Give a folder as runs_dir=DIR.") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.\nMake it readable.") from error
    except (ValueError, RecursionError) as error:
        raise _untrusted(path, "is not JSON") from error
    if not isinstance(content, dict) or "schema" not in content or "sha256" not in content:
        raise _untrusted(path, "is not the record of a run")
    if content["schema"] != SCHEMA:
        raise _other_schema(path, content["schema"])
    try:
        is_unchanged = content.pop("sha256") == checksum(content)
    except (RecursionError, ValueError) as error:  # deeper, or stranger, than can be written
        raise _untrusted(path, "is not the record of a run") from error
    if not is_unchanged:
        raise _untrusted(path, "was changed after it was written: its checksum is wrong")
    del content["schema"]
    return content


def find_run(run: str, runs_dir: Path) -> Path:
    """Return the directory of a run that is given by its id within `runs_dir`, or by its path.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     (Path(folder) / "digits-0123").mkdir()
        ...     find_run("digits-0123", Path(folder)) == Path(folder) / "digits-0123"
        True
        >>> find_run("elsewhere/digits-0123", Path("runs")).as_posix()
        'elsewhere/digits-0123'
    """
    within = runs_dir / run
    return within if within.is_dir() else Path(run)


def read_finished(run_dir: Path) -> dict[str, Any]:
    """Return the record of a finished run.

    Raises:
        CheckpointError: there is no such run, it is not finished, or its record cannot be trusted.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_record(Path(folder), {"status": FINISHED, "metrics": {"map_class": 0.5}})
        ...     read_finished(Path(folder))["metrics"]
        {'map_class': 0.5}
    """
    record = read_record(run_dir)
    status = "no record" if record is None else record.get("status")
    if record is None or status != FINISHED:
        raise CheckpointError(
            f"{run_dir} holds no finished run ({status})\n"
            "Give the directory of one or its id in runs_dir, or finish it by its own command first."
        )
    return record


def read_records(runs_dir: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records of every run under `runs_dir`, by path, and a line for each cause that left some unread."""
    records, unread = [], dict[str, list[Path]]()
    for path in sorted(runs_dir.rglob(RECORD)):
        try:
            record = read_record(path.parent)
        except CheckpointError as error:
            cause = str(error).splitlines()[0].removeprefix(f"{path} ")
            unread.setdefault(cause, []).append(path)
        else:
            if record is not None:
                records.append(record)
    return records, [_unread_line(paths, cause) for cause, paths in unread.items()]


def _unread_line(paths: list[Path], cause: str) -> str:
    more = f" and {len(paths) - 1} more:" if len(paths) > 1 else ""
    return f"{paths[0]}{more} {cause}"


def checksum(content: dict[str, Any]) -> str:
    """Return the checksum of what was read from JSON, whatever the order of its keys and the white space."""
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())


def environment() -> dict[str, Any]:
    """Return what a run depends on besides its configuration: versions, commit, hardware, platform and command line.

    Nothing is imported for it: graphics cards and threads are told only if torch is there already. Of paths in the
    command line only the last parts are left.
    """
    return {
        "versions": _versions(),
        "commit": _commit(_REPOSITORY),
        "hardware": {
            "cpu": cpu_entry("model name") or platform.processor() or platform.machine(),
            "cores": usable_cores(),
            "threads": _num_threads(),
            "memory_gib": round(memory_bytes() / 2**30, 1),
            "gpus": _gpu_names(),
            "tf32": _tf32(),
        },
        "platform": platform.platform(),
        "command": words_without_paths(sys.argv),
    }


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _untrusted(path: Path, cause: str) -> CheckpointError:
    return CheckpointError(f"{path} {cause}.\nDelete the run's folder {path.parent} and run it again.")


def _other_schema(path: Path, schema: Any) -> CheckpointError:
    if schema == MIGRATED:
        command = f"python scripts/migrate_records.py {path.parent.parent}"
        return CheckpointError(f"{path} has schema {schema}: `{command}` brings it to {SCHEMA} and keeps all numbers.")
    return CheckpointError(
        f"{path} has schema {schema!r}, this version of margin-bench reads {SCHEMA}.\n"
        "Use the version that wrote it, or delete the run's folder and run it again."
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _commit(repository: Path) -> str | None:
    """Return the commit of a checkout, with "-dirty" if tracked files differ; None of an installed package."""
    if not (repository / ".git").exists():
        return None
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def _num_threads() -> int | None:
    torch = sys.modules.get("torch")
    return None if torch is None else torch.get_num_threads()


def _tf32() -> bool | None:
    """Return whether convolutions in float32 may be rounded to TF32, on a GPU that can."""
    torch = sys.modules.get("torch")
    return None if torch is None else bool(torch.backends.cudnn.allow_tf32)


def _gpu_names() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None:
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
