"""From the overrides of a cell to the ids of its runs, at a fraction of the time that composing every cell takes.

Hydra composes once for every choice of data set, backbone and so on. The losses differ from one another by their own
file alone, as long as the defaults lists of these files agree, so a composition with one of them serves them all.
Plain values are put into what was composed. Whatever is not so simple Hydra composes by itself. Imports no torch.
"""

import dataclasses
import json
import re
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from margin_bench.config.compose import COMPOSITION_ERRORS
from margin_bench.config.identity import copied, decides, id_of, identity
from margin_bench.config.schema import TrainConfig, typed, with_floats
from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of, parsed
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import ConfigError
from margin_bench.records.traits import leaves_of

REFERENCE = re.compile(r"\$\{([\w.]+)\}")
ELSEWHERE = re.compile(r"override /(?!loss)|/\w+@_global_\.(?!loss)")  # what a defaults list puts into other sections
OPEN = {entry.name for entry in dataclasses.fields(TrainConfig) if entry.type == dict[str, Any]}

Content = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Composed:
    """What the files say for some choices.

    Attributes:
        content: a `TrainConfig` as a dictionary.
        references: the dotted keys that take their value from another key, and that key.
        texts: the dotted keys with a text in which the value of another key stands.
    """

    content: Content
    references: dict[str, str]
    texts: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Identity:
    """The identity of the runs of a cell, whatever their seed and their precision."""

    content: Content
    seeded: tuple[str, ...]

    @property
    def has_own_precision(self) -> bool:
        """Whether the overrides of the cell set it, instead of leaving it to the machine."""
        return bool(self.content["precision"] != "auto")

    def of_run(self, seed: int, precision: str) -> Content:
        """The identity of one run; `precision` is for cells without their own."""
        own = self.content["precision"] if self.has_own_precision else precision
        content = {**self.content, "seed": seed, "precision": own}
        for key in self.seeded:
            section = key.partition(".")[0]
            content[section] = copied(content[section])
            _put(content, key, seed)
        return content

    def run_id(self, seed: int, precision: str) -> str:
        return id_of(self.of_run(seed, precision))


class Identities:
    """The identities of cells by their overrides."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._composed: dict[tuple[str, ...], Composed] = {}
        self._alike: dict[tuple[str, ...], Composed] = {}
        self._names: dict[tuple[str, str], str | None] = {}

    def of(self, words: Sequence[str]) -> Identity:
        """The identity of a cell.

        Raises:
            ConfigError: the overrides do not compose.
        """
        groups = tuple(word for word in words if self.is_choice(word))
        values = [word for word in words if word not in groups]
        composed = self._of_choices(groups)
        if composed.texts or not all(_is_plain(composed.content, word) for word in values):
            composed, values = self._by_hydra(tuple(words)), []
        content, references = copied(composed.content), dict(composed.references)
        for word in values:
            _apply(content, word)
            references.pop(key_of(word), None)
        for key, source in references.items():
            _put(content, key, _get(content, source))
        content["loss"] = with_floats(content["loss"])
        return Identity(identity(content), tuple(key for key, source in references.items() if source == "seed"))

    def is_choice(self, word: str) -> bool:
        """Whether an override chooses a file of a group, as `dataset=coco`."""
        return self.sources.has_group(key_of(word))

    def name_of(self, group: str, option: str) -> str | None:
        """The name that a group's file gives, as it stands in records; None if it gives none."""
        if (group, option) not in self._names:
            path = self.sources.find(group, option)
            content = read_yaml(path) if path else {}
            name = content.get(group, content).get("name")
            self._names[group, option] = None if name == "???" else name
        return self._names[group, option]

    def _of_choices(self, groups: tuple[str, ...]) -> Composed:
        if groups not in self._composed:
            self._composed[groups] = self._composed_of(groups)
        return self._composed[groups]

    def _composed_of(self, groups: tuple[str, ...]) -> Composed:
        """What Hydra composes; a loss is put in the place of another one, if the defaults in their files agree."""
        loss = next((word for word in reversed(groups) if key_of(word) == "loss"), None)
        path = self.sources.find("loss", loss.partition("=")[2]) if loss else None
        if path is None or "@package" in path.read_text(encoding="utf-8"):
            return self._by_hydra(groups)
        section = dict(read_yaml(path))
        if _sets_losses(section):
            return self._by_hydra(groups)
        others = tuple(word for word in groups if word != loss)
        alike = (*others, json.dumps(section.pop("defaults", [])))
        if alike in self._alike:
            return _with_loss(self._alike[alike], section)
        composed = self._by_hydra(groups)
        if not any(map(self._may_set_losses, others)):
            self._alike[alike] = composed
        return composed

    def _may_set_losses(self, word: str) -> bool:
        """Whether the file that an override chooses can say more about a loss than a loss's own file."""
        path = self.sources.find(key_of(word), word.partition("=")[2])
        content = read_yaml(path) if path else {}
        return path is None or "loss" in content or _sets_losses(content)

    def _by_hydra(self, words: tuple[str, ...]) -> Composed:
        try:
            with self.sources.opened():
                raw = _container(self.sources.compose("train", words))
            content = dataclasses.asdict(typed("train", OmegaConf.create(_with_null(raw))))
        except COMPOSITION_ERRORS as error:
            raise ConfigError(f"{' '.join(words)}: {str(error).splitlines()[0]}") from error
        return Composed(content, _references(raw), _texts(raw))


def _sets_losses(content: Content) -> bool:
    """Whether a file's defaults list takes in what may speak of losses, and not only of another section."""
    return any(
        not isinstance(each, dict) or not all(map(ELSEWHERE.match, each))
        for each in content.get("defaults", [])
        if each != "_self_"
    )


def _with_loss(composed: Composed, section: Content) -> Composed:
    if "${" in str(section):
        resolved = _container(OmegaConf.create({**composed.content, "loss": section}).loss, resolve=True)
    else:
        resolved = section
    references = {key: source for key, source in composed.references.items() if not key.startswith("loss.")}
    texts = {key for key in composed.texts if not key.startswith("loss.")}
    return Composed(
        {**composed.content, "loss": resolved},
        {**references, **_references({"loss": section})},
        frozenset(texts) | _texts({"loss": section}),
    )


def _with_null(content: Content) -> Content:
    """The configuration with null for what is missing, which a later override may give."""
    values = {key: _with_null(value) if isinstance(value, dict) else value for key, value in content.items()}
    return {key: None if value == "???" else value for key, value in values.items()}


def _container(config: Any, resolve: bool = False) -> Content:
    content = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}


def _references(content: Content) -> dict[str, str]:
    """The entries of a configuration that are nothing but the value of another key."""
    found = {}
    for key, value in leaves_of(content):
        if isinstance(value, str) and (match := REFERENCE.fullmatch(value)):
            found[key] = match[1]
    return found


def _texts(content: Content) -> frozenset[str]:
    """The entries that decide a result and hold the value of another key within a longer text.

    Raises:
        ConfigError: it is that of the seed, which a table gives to the runs of a cell by itself.
    """
    found = set()
    for key, value in leaves_of(content):
        sources = REFERENCE.findall(str(value))
        if not sources or not decides(key) or REFERENCE.fullmatch(str(value)):
            continue
        if "seed" in sources:
            raise ConfigError(f"{key}: {value}: a table cannot tell runs apart that have the seed within a text")
        found.add(key)
    return frozenset(found)


def _is_plain(content: Content, word: str) -> bool:
    """Whether an override puts one value in the place of another as it is, or an int in that of a float."""
    override = parsed(word)
    value = override.value()
    if isinstance(value, dict) or "${" in str(value):
        return False
    if _is_open(word):
        return True
    before = _get(content, override.key_or_group)
    return type(value) is type(before) or (type(before) is float and type(value) is int)


def _apply(content: Content, word: str) -> None:
    """Puts a plain value where an override wants it, of the type that the checked configuration gives it."""
    override = parsed(word)
    key, value = override.key_or_group, override.value()
    if not override.is_add() and not override.is_force_add():
        before = _get(content, key)
        if type(before) is float and type(value) is int and not _is_open(word):
            value = float(value)
    _put(content, key, value)


def _is_open(word: str) -> bool:
    """Whether an override is of a section in which any key can have any type, or may add a key."""
    return word.startswith("+") or key_of(word).partition(".")[0] in OPEN


def _get(content: Content, key: str) -> Any:
    node: Any = content
    for name in key.split("."):
        if not isinstance(node, dict) or name not in node:
            raise ConfigError(f"there is no key {key}")
        node = node[name]
    return node


def _put(content: Content, key: str, value: Any) -> None:
    *parents, name = key.split(".")
    for parent in parents:
        content = content.setdefault(parent, {})
    content[name] = value
