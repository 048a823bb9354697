"""Remember on disk what words compose to, until something changes that they are composed of. Imports no torch."""

import importlib.metadata
import json
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from margin_bench import __version__
from margin_bench.config.dotted import Content
from margin_bench.config.sources import PACKAGE, Sources
from margin_bench.errors import CheckpointError
from margin_bench.runtime.files import cache_dir, read_regular, sha256, write_atomic

MOST = 2000  # entries of a file, each of about 1.5 kB

_VARIABLE = re.compile(r"\$\{oc\.env:(\w+)(?=[,}])")
_FILE = re.compile(r"\$\{package_file:[^${}]*\}")
_OTHER = re.compile(r"\$\{[^}]*(:|\$\{)")  # a resolver, or what may become one


class Memo:
    """Keep what words compose to in a file of the user's cache folder.

    A file that is damaged, of other sources or of another version is as good as none.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        folders = "\0".join(str(folder.resolve()) for folder in sources.dirs)
        self._path = cache_dir() / "compositions" / f"{sha256(folders.encode())[:16]}.memo"
        self._origin = _origin(sources)
        self._known = _read(self._path, self._origin)
        self._added: dict[str, Content] = {}

    def get(self, words: Sequence[str]) -> Content | None:
        """Return what the words compose to, if it is known."""
        return self._known.get(_key(words))

    def add(self, words: Sequence[str], content: Content) -> Content:
        """Remember what the words compose to, and return it as `get` will: as JSON has it."""
        content = self._known[_key(words)] = json.loads(json.dumps(content))
        if not any("${" in word for word in words):  # which may refer to what is no part of the origin
            self._added[_key(words)] = content
        return content

    def save(self) -> None:
        """Write what was added. Where that cannot be done, it is composed again the next time."""
        if not self._added or _origin(self._sources) != self._origin:  # something has changed on the way
            return
        known = _read(self._path, self._origin) | self._added
        body = json.dumps(known if len(known) <= MOST else self._added)
        with suppress(CheckpointError):
            write_atomic(self._path, f"{_checksum(self._origin, body)}\n{body}".encode())
        self._added = {}


def _key(words: Sequence[str]) -> str:
    return "\0".join(words)


def _read(path: Path, origin: str) -> dict[str, Content]:
    try:
        checksum, _, body = read_regular(path).decode().partition("\n")
    except (OSError, ValueError):
        return {}
    return dict(json.loads(body)) if checksum == _checksum(origin, body) else {}


def _checksum(origin: str, body: str) -> str:
    return sha256(f"{origin}{body}".encode())


def _origin(sources: Sources) -> str:
    """Return a checksum of all that decides what words compose to: files, code, versions, environment variables."""
    texts = {str(path): _text(path) for folder in sources.dirs for path in _yaml_files(folder)}
    code = {path.name: _text(path) for path in sorted(Path(__file__).parent.glob("*.py"))}
    versions = [__version__, *map(importlib.metadata.version, ("hydra-core", "omegaconf"))]
    variables = {name: os.environ.get(name) for text in texts.values() for name in sorted(_VARIABLE.findall(text))}
    now = time.time_ns() if any(map(_is_open, texts.values())) else None  # then nothing is as before
    return sha256(json.dumps([texts, code, versions, str(PACKAGE), variables, now]).encode())


def _is_open(text: str) -> bool:
    """Return whether a file has a resolver of which it is not known here what its value depends on."""
    return bool(_OTHER.search(_FILE.sub("", _VARIABLE.sub("", text))))


def _yaml_files(folder: Path) -> list[Path]:
    """Return all YAML files of a folder, also behind links, as Hydra finds them."""
    files = (Path(place, name) for place, _, names in os.walk(folder, followlinks=True) for name in names)
    return sorted(path for path in files if path.suffix == ".yaml")


def _text(path: Path) -> str:
    """Return a file's text; none where it cannot be read, since then it cannot be composed either."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
