"""Save and load the state of a run, so that no kill, full disk or flipped bit goes unnoticed; read and write weights.

A folder of checkpoints holds one file for each saved state, and `manifest.json`. The manifest names the last two states
and the best one, each with its checksum. Where it is broken or gone, it is made anew from the files, whose names tell
as much.
"""

import io
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from margin_bench.errors import CheckpointError, DataError
from margin_bench.runtime.files import read_regular, sha256, sweep, write_atomic

logger = logging.getLogger(__name__)

MANIFEST = "manifest.json"
NUM_KEPT = 2
BEST = "-best"  # in the name of a state that was the best so far
FILE_NAME = re.compile(rf"epoch(\d{{4,}})-step(\d{{7,}})-([0-9a-f]{{8}})({BEST})?\.pt")


@dataclass(frozen=True, order=True)
class _Entry:
    """Name a saved state, as the manifest does."""

    file: str
    sha256: str
    epoch: int
    step: int


@dataclass(frozen=True)
class _Manifest:
    """Name the last states, newest first, and the best one."""

    latest: tuple[_Entry, ...] = ()
    best: _Entry | None = None

    def files(self) -> set[str]:
        """Return the names of all files that it names."""
        return {entry.file for entry in (*self.latest, self.best) if entry}


def save(folder: Path, state: dict[str, Any], *, epoch: int, step: int, best: bool) -> None:
    """Save a state; keep the one before it and the best one, remove older ones.

    A process killed at any moment leaves a folder that loads: the state is added under a new name, then the manifest
    is replaced, then files that it does not name are removed.

    Args:
        folder: where the run's checkpoints are; made if it is not there.
        state: tensors, numbers, strings, and lists and dicts of these.
        epoch, step: where the state stands; they name the file.
        best: whether this is the best state so far.

    Raises:
        CheckpointError: it cannot be written, or the folder's manifest cannot be read.
    """
    manifest = _read_manifest(folder)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    checksum = sha256(data)
    # With the checksum in its name, a state saved twice at one step replaces no file that the manifest names.
    mark = BEST if best else ""
    entry = _Entry(f"epoch{epoch:04d}-step{step:07d}-{checksum[:8]}{mark}.pt", checksum, epoch, step)
    write_atomic(folder / entry.file, data)
    # A state at this step or a later one was broken, so the run went back to an earlier one.
    before = [other for other in manifest.latest if (other.epoch, other.step) < (epoch, step)]
    manifest = _Manifest((entry, *before[: NUM_KEPT - 1]), entry if best else manifest.best)
    write_atomic(folder / MANIFEST, json.dumps(asdict(manifest), indent=2).encode())
    _remove_unnamed(folder, manifest)


def load_latest(folder: Path) -> dict[str, Any] | None:
    """Return the newest state, its tensors on the CPU, or None where there is no checkpoint yet.

    If the newest file is broken, warn and return the state before it.

    Raises:
        CheckpointError: there are checkpoints, but all are broken.
    """
    broken = []
    for entry in _read_manifest(folder).latest:
        try:
            state = _load(folder, entry)
        except _BrokenError as error:
            broken.append(str(error))
            continue
        if broken:
            logger.warning("Going back to %s. Broken: %s.", entry.file, "; ".join(broken))
        return state
    if broken:
        raise _no_valid_state(folder, broken)
    return None


def load_best(folder: Path) -> dict[str, Any] | None:
    """Return the best state, its tensors on the CPU, or None where no state was saved as the best.

    Raises:
        CheckpointError: its file is broken.
    """
    entry = _read_manifest(folder).best
    if entry is None:
        return None
    try:
        return _load(folder, entry)
    except _BrokenError as error:
        raise _no_valid_state(folder, [str(error)]) from error


def save_weights(path: Path, model_state: Mapping[str, Tensor]) -> str:
    """Write a model's tensors as safetensors; return the SHA-256 of the file, which depends on the tensors alone.

    Tensors that share memory are written once under each name.

    Raises:
        CheckpointError: the file cannot be written.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "weights.safetensors"
        ...     digest = save_weights(path, {"weight": torch.tensor([1.0, 2.0])})
        ...     load_weights(path)["weight"].tolist()
        [1.0, 2.0]
    """
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in model_state.items()
    }
    data = safetensors.torch.save(tensors)
    write_atomic(path, data)
    return sha256(data)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors, by name, of a `.safetensors` file or of a file that `torch.save` wrote.

    In the latter the tensors may stand under "state_dict" or "model". Code in it is refused, not run.

    Raises:
        DataError: the file is missing, broken, or holds something other than tensors by name.
    """
    try:
        data = read_regular(path)
        content = safetensors.torch.load(data) if path.suffix == ".safetensors" else _unpickle(data)
    except OSError as error:
        raise DataError(
            f"Cannot read the weights {path}: {error.strerror or error}.\nGive the path of a weights file."
        ) from error
    except (ValueError, safetensors.SafetensorError) as error:
        raise _not_weights(path, "it is broken, or holds more than tensors and plain values") from error
    if isinstance(content, dict):
        content = content.get("state_dict", content.get("model", content))
    if not isinstance(content, dict) or not content:
        raise _not_weights(path, f"it holds {type(content).__name__} without tensors")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise _not_weights(path, f"{name!r} is {type(value).__name__}")
    return content


class _BrokenError(Exception):
    """Say which checkpoint file cannot be used, and why."""


def _load(folder: Path, entry: _Entry) -> dict[str, Any]:
    try:
        data = read_regular(folder / entry.file)
    except OSError as error:
        raise _BrokenError(f"{entry.file} ({error.strerror or error})") from error
    if sha256(data) != entry.sha256:
        raise _BrokenError(f"{entry.file} (its checksum is wrong)")
    try:
        state = _unpickle(data)
    except ValueError as error:
        raise _BrokenError(f"{entry.file} ({error})") from error
    if not isinstance(state, dict):
        raise _BrokenError(f"{entry.file} (not a state but {type(state).__name__})")
    return state


def _unpickle(data: bytes) -> Any:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    # A damaged or malicious file fails in as many ways as there are bytes in it: no list of errors would be complete.
    except Exception as error:
        raise ValueError("it holds more than tensors and plain values, or is damaged") from error


def _read_manifest(folder: Path) -> _Manifest:
    path = folder / MANIFEST
    try:
        content = json.loads(read_regular(path))
        best = content["best"]
        return _Manifest(tuple(map(_entry, content["latest"])), None if best is None else _entry(best))
    except FileNotFoundError:
        return _manifest_of_files(folder, "is missing")
    except OSError as error:
        raise CheckpointError(f"Cannot read {path}: {error.strerror or error}.\nMake it readable.") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        manifest = _manifest_of_files(folder, "is broken")
        if not manifest.latest:
            raise CheckpointError(
                f"Expected a list of checkpoints in {path}, found something else.\n{_start_anew(folder)}"
            ) from error
        return manifest


def _manifest_of_files(folder: Path, cause: str) -> _Manifest:
    """Return the manifest that the whole files of a folder tell; without any, an empty one."""
    named = [(path, match) for path in folder.glob("*.pt") if (match := FILE_NAME.fullmatch(path.name))]
    found = [(_entry_of_file(path, match), bool(match[4])) for path, match in named]
    whole = sorted(((entry.epoch, entry.step), entry, best) for entry, best in found if entry is not None)
    if not whole:
        return _Manifest()
    logger.warning("%s %s; it is made anew from %d checkpoints.", folder / MANIFEST, cause, len(whole))
    latest = [entry for _, entry, _ in reversed(whole)]
    return _Manifest(tuple(latest[:NUM_KEPT]), next((entry for _, entry, best in reversed(whole) if best), None))


def _entry_of_file(path: Path, match: re.Match[str]) -> _Entry | None:
    """Return the entry of a state by its file's name; None if its content has another checksum."""
    try:
        checksum = sha256(path)
    except OSError:
        return None
    return _Entry(path.name, checksum, int(match[1]), int(match[2])) if checksum.startswith(match[3]) else None


def _entry(content: dict[str, Any]) -> _Entry:
    entry = _Entry(**content)
    if not all(type(number) is int for number in (entry.epoch, entry.step)) or not isinstance(entry.sha256, str):
        raise ValueError("an entry has no place or no checksum")
    if Path(entry.file).name != entry.file:
        raise ValueError(f"{entry.file} is not a plain file name")
    return entry


def _remove_unnamed(folder: Path, manifest: _Manifest) -> None:
    """Remove states that are no longer needed, and what killed saves left behind: a run has one writer."""
    named = manifest.files()
    sweep(folder, seconds=0)
    for path in folder.glob("epoch*-step*.pt"):
        if path.name not in named:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                logger.warning("Cannot remove the old checkpoint %s: %s.", path, error.strerror or error)


def _no_valid_state(folder: Path, broken: list[str]) -> CheckpointError:
    return CheckpointError(f"No usable checkpoint in {folder}.\nBroken: {'; '.join(broken)}.\n{_start_anew(folder)}")


def _start_anew(folder: Path) -> str:
    return f"Delete the run's folder {folder.parent} to start anew."


def _not_weights(path: Path, cause: str) -> DataError:
    return DataError(
        f"Expected tensors by name in {path}, but: {cause}.\n"
        "Give a .safetensors file, or one that torch.save wrote from a state_dict."
    )
