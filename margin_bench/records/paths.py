"""Keep the paths of this machine out of records, and in a file of their own beside each. Imports no torch."""

import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from omegaconf import OmegaConf

from margin_bench.config.dotted import Content, copied, leaves_of, put, value_at
from margin_bench.config.sources import our_files
from margin_bench.errors import CheckpointError, DataError
from margin_bench.runtime.files import read_regular, write_atomic

PATHS = "paths.json"
OF_DATA = ("dataset.root", "dataset.file", "dataset.test_file")
KEYS = (*OF_DATA, "backbone.weights", "runs_dir")  # whose values are paths, also relative ones

_QUOTED = re.compile(r"""(?<=['"])(?:file://)?~?/[^'"\n]*(?=['"])""")
_BARE = re.compile(r"""(?<![^\s=,;:()\[\]{}'"`])(?:file://)?~?/(?!/)[^\s,;:()\[\]{}'"`]+""")


def without_paths(config: Content) -> tuple[Content, Content]:
    """Split a configuration into one that has only the last part of each path, and the paths by dotted key.

    Those are the values of `KEYS`, made absolute, and every other text that is an absolute path.
    """
    short, paths = copied(config), {}
    for key, value in leaves_of(config):
        if key in KEYS and value is not None:
            paths[key] = str(Path(value).absolute())
        elif last_part(value) != value:
            paths[key] = value
        else:
            continue
        put(short, key, last_part(paths[key]))
    return short, paths


def last_part(value: Any) -> Any:
    """Return the last part of an absolute path, of each in a list; any other value as it is."""
    if isinstance(value, list):
        return [last_part(each) for each in value]
    return _name(value) if isinstance(value, str) and _is_absolute(value) else value


def text_without_paths(text: str, paths: Content) -> str:
    """Return a text with only the last part of each absolute path in it.

    Args:
        text: what a program says.
        paths: those of its run, as from `without_paths`: like the folders of the user, they may have blanks in them.
    """
    known = [path for path in (*paths.values(), str(Path.cwd()), str(Path.home())) if isinstance(path, str)]
    for path in sorted((each for each in known if len(each) > 1), key=len, reverse=True):
        text = re.sub(re.escape(path) + r"""[^\s,;:()\[\]{}'"`]*""", _last_of_match, text)
    return _BARE.sub(_last_of_match, _QUOTED.sub(_last_of_match, text))


def words_without_paths(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with only the last part of each path in them."""
    return [_word_without_paths(word) for word in words]


def write_paths(run_dir: Path, paths: Content) -> None:
    """Write the paths of a run on this machine into its directory; they are no part of its record.

    Raises:
        CheckpointError: they cannot be written.
    """
    write_atomic(run_dir / PATHS, f"{json.dumps(paths, indent=2)}\n".encode())


def read_paths(run_dir: Path) -> Content:
    """Return the paths of a run on this machine, by dotted key; none where they are not known.

    Raises:
        CheckpointError: their file is damaged.
    """
    try:
        paths = json.loads(read_regular(run_dir / PATHS))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{run_dir / PATHS} cannot be read: {error}\nDelete it, and give root=DIR.") from error
    if not isinstance(paths, dict):
        raise CheckpointError(f"{run_dir / PATHS} holds no paths by key\nDelete it, and give root=DIR.")
    return paths


def located(config: Content, run_dir: Path, root: str | None = None) -> Content:
    """Return the configuration of a record with its data where they are on this machine.

    A path of the run counts only if the record has its last part: so a file that comes with a run moves no data set to
    other files. Where it is not known, the data set's folder is the one that its file says.

    Args:
        config: as a record has it.
        run_dir: the directory of the run.
        root: the folder of the data set, where a user says so.

    Raises:
        CheckpointError: the paths are damaged.
        DataError: it is not known where the data are.
    """
    found = copied(config)
    named = {key: path for key, path in read_paths(run_dir).items() if value_at(config, key) is not None}
    paths = {key: path for key, path in named.items() if value_at(config, key) == last_part(path)}
    for key, path in paths.items():
        put(found, key, path)
    dataset = found["dataset"]
    for key in (key for key in OF_DATA if value_at(config, key) is not None and key not in paths):
        name = key.partition(".")[2]
        dataset[name] = _usual_place(dataset, name, run_dir) if root is None else str(Path(root, dataset[name]))
    if root is not None:
        dataset["root"] = root
    return found


def _usual_place(dataset: Content, name: str, run_dir: Path) -> str:
    """Return the folder of a data set of ours where no other is given."""
    for content in our_files("dataset") if name == "root" else ():
        if all(content[key] == dataset[key] for key in ("name", "_target_")) and content.get("root"):
            return str(OmegaConf.create({"root": content["root"]}).root)
    raise DataError(
        f"it is not known where dataset.{name}={dataset[name]} is on this machine: no {PATHS} in {run_dir} says it.\n"
        "Give the folder of the data set as root=DIR."
    )


def _word_without_paths(word: str) -> str:
    if _is_absolute(word):
        return _name(word)
    key, _, value = word.partition("=")
    parts = [part.strip("'\"") for part in value.split(",")]
    if key.lstrip("+") in KEYS or all(map(_is_absolute, parts)):
        return f"{key}={','.join(map(_name, parts))}"
    return text_without_paths(word, {})


def _is_absolute(text: str) -> bool:
    return text.startswith(("/", "~/", "file:///"))


def _name(path: str) -> str:
    """Return the last part of a path; of the root, and of the folder one is in, what stands for it."""
    return PurePath(path).name or path


def _last_of_match(match: re.Match[str]) -> str:
    return _name(match[0])
