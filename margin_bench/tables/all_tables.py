"""Find every table that a record is in, on the data set and the backbone that it is of. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from margin_bench.config.sources import Sources
from margin_bench.config.words import key_of
from margin_bench.errors import ConfigError
from margin_bench.runtime.console import tell
from margin_bench.tables.cells import Measured, Request
from margin_bench.tables.identities import Identities
from margin_bench.tables.measure import measure
from margin_bench.tables.overrides import NoPlaceError
from margin_bench.tables.spec import Table, read_table
from margin_bench.tables.usable_records import Records


@dataclass(frozen=True)
class Setting:
    """A choice of data set and backbone that records are of.

    Attributes:
        dataset, backbone: the overrides that choose them, empty where no file has the name.
        is_usual: whether the backbone is the one that the data set brings.
    """

    dataset: str
    backbone: str
    is_usual: bool


def every_table(request: Request, records: Records, identities: Identities) -> list[Measured]:
    """Return every table, on every data set and backbone that records are of, that has a record in it.

    A table in which the words of the request make a mistake is left out, and the mistake told on stderr.
    """
    found: dict[tuple[str, ...], Measured] = {}
    mistakes: dict[str, None] = {}
    settings = _settings(records, identities)
    for name in identities.sources.options("table"):
        table = read_table(name, identities.sources)
        for setting in settings:
            for words in _tried(table, setting, request):
                asked = replace(request, words=words + request.words)
                each = _measured(table, asked, records, identities, mistakes)
                if each:
                    found.setdefault((name, *words), each)
                    break
    for mistake in mistakes:
        tell(mistake)
    return list(found.values())


def _measured(
    table: Table, request: Request, records: Records, identities: Identities, mistakes: dict[str, None]
) -> Measured | None:
    """Return the table, if it has a place for the words of the request, and records; add a mistake to the others."""
    try:
        found = measure(table, request, records, identities)
    except NoPlaceError:
        return None
    except ConfigError as error:
        mistakes[f"{table.name} is left out: {error.__cause__ or error}"] = None
        return None
    return found if found.records else None


def _tried(table: Table, setting: Setting, request: Request) -> Iterator[tuple[str, ...]]:
    """Yield overrides that may put a table on a setting, the fewest first; without what the table or the user says."""
    said = _words_of(table)
    given = {key_of(word) for word in request.words}
    choices: list[tuple[str, ...]] = [(setting.dataset,)] if setting.is_usual or table.is_of_facts else []
    if not table.is_of_facts:  # facts are those of a data set
        choices.append((setting.dataset, setting.backbone))
    for chosen in choices:
        yield tuple(word for word in chosen if word and word not in said and key_of(word) not in given)


def _settings(records: Records, identities: Identities) -> list[Setting]:
    """Return the choices of data set and backbone that records are of."""
    names = {
        (record["config"]["dataset"]["name"], record["config"]["backbone"]["name"])
        for record in records.usable.values()
    }
    datasets, backbones = (_options(group, identities.sources) for group in ("dataset", "backbone"))
    found = []
    for dataset_name, backbone_name in sorted(names):
        dataset = f"dataset={datasets[dataset_name]}" if dataset_name in datasets else ""
        backbone = f"backbone={backbones[backbone_name]}" if backbone_name in backbones else ""
        usual = identities.of((dataset,)).content["backbone"]["name"] if dataset else None
        found.append(Setting(dataset, backbone, backbone_name == usual))
    return found


def _options(group: str, sources: Sources) -> dict[str, str]:
    """Return the options of a group by the name in their files; of several with one name the one that is called so."""
    options: dict[str, str] = {}
    for option in sources.options(group):
        name = sources.section(group, option).get("name", "")
        if name not in options or option == name:
            options[name] = option
    return options


def _words_of(table: Table) -> set[str]:
    """Return all overrides that stand in a table."""
    words = {word for block in table.blocks for word in block.words}
    axes = [axis for block in table.blocks for axis in (block.rows, block.columns)]
    return words | {word for axis in axes for entry in axis.entries for word in entry.words}
