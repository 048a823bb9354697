"""Tell by the overrides of a cell which runs it has. Imports no torch."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from margin_bench.config.compose import Composer
from margin_bench.config.dotted import Content, leaves_of
from margin_bench.config.identity import decides, files_sha256, id_of, identity_by
from margin_bench.config.memo import Memo
from margin_bench.config.sources import Sources
from margin_bench.config.words import parsed
from margin_bench.errors import ConfigError

ANY_SEED = 2**62  # composed in place of the seed, so that it is seen where the seed gets to


@dataclasses.dataclass(frozen=True)
class Identity:
    """The identity of the runs of a cell.

    Attributes:
        config: what its overrides compose to, with `ANY_SEED` for the seed; its precision may be `auto`.
        digests: what `config.identity.files_sha256` says of it.
    """

    config: Content
    digests: dict[str, str] = dataclasses.field(default_factory=dict)

    @cached_property
    def content(self) -> Content:
        """The configuration as `config.identity.identity` has it, with `ANY_SEED` for the seed."""
        return identity_by(self.config, self.digests)

    @property
    def has_own_precision(self) -> bool:
        """Return whether the overrides of the cell set it, instead of leaving it to the machine."""
        return bool(self.content["precision"] != "auto")

    @property
    def seeded(self) -> tuple[str, ...]:
        """The dotted keys that follow the seed."""
        return tuple(key for key, value in leaves_of(self.content) if value == ANY_SEED)

    def of_run(self, seed: int, precision: str) -> Content:
        """Return the identity of one run; `precision` is for cells without their own."""
        content = identity_by(_with_seed(self.config, seed), self.digests)
        return content if self.has_own_precision else {**content, "precision": precision}

    def run_id(self, seed: int, precision: str) -> str:
        """Return the id of one run."""
        return id_of(self.of_run(seed, precision))


class Identities:
    """The identities of cells by their overrides."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._memo = Memo(sources)
        self._composer = Composer("train", sources)

    def of(self, words: Sequence[str]) -> Identity:
        """Return the identity of a cell.

        Raises:
            ConfigError: the overrides do not compose.
        """
        config = self._memo.get(words) or self._memo.add(words, self._composed(words))
        return Identity(config, files_sha256(config))

    def save(self) -> None:
        """Keep what was composed for the next time."""
        self._memo.save()

    def _composed(self, words: Sequence[str]) -> Content:
        with self.sources.opened():
            content = self._composer.resolved([parsed(word) for word in (*words, f"seed={ANY_SEED}")])
        _refuse_seeds_in_texts(content)
        return content


def _with_seed(content: Any, seed: int) -> Any:
    """Put the seed in its places, as a float where a float follows it."""
    if isinstance(content, dict):
        return {key: _with_seed(value, seed) for key, value in content.items()}
    return type(content)(seed) if content == ANY_SEED else content


def _refuse_seeds_in_texts(content: Content) -> None:
    for key, value in leaves_of(content):
        if value != ANY_SEED and str(ANY_SEED) in str(value) and decides(key):
            text = str(value).replace(str(ANY_SEED), "${seed}")
            raise ConfigError(f"{key}: {text}: a table cannot tell runs apart that have the seed within a text")
