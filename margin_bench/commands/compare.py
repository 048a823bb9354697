"""Compare finished runs on the same samples: `margin-bench compare`. Imports no torch."""

import argparse
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from margin_bench.commands.arguments import Parser, names_and_overrides
from margin_bench.commands.yaml_comments import defaults_in_words
from margin_bench.config.compose import composed
from margin_bench.config.schema import CompareConfig, typed
from margin_bench.config.sources import Sources, configs_dir, default_runs_dir
from margin_bench.errors import CheckpointError, ConfigError
from margin_bench.metrics.paired import METRICS, PERCENTILES, Comparison, Difference, ScoredRun, compare
from margin_bench.records.record import RECORD, find_run, read_finished
from margin_bench.records.scores import SavedScores, load_scores
from margin_bench.records.shape import check_shape
from margin_bench.records.traits import traits_of_record
from margin_bench.runtime.console import counted, say

TITLES = {"map_class": ("mAP@class", "classes"), "map_sample": ("mAP@sample", "samples")}
SHOWN = 3  # classes named as those that gain or lose most
WORDS = """Every OTHER is compared with FIRST, on the same resamples of the test samples. Each is a run, by its
directory or its id in runs_dir, or a group of runs that differ in their seeds alone: several joined by commas, or a
pattern in quotes.

key=value is one of these, here with their defaults:
{defaults}

examples:
  margin-bench compare digits-test_resnet-TwoWayLoss-both-seed0-1a2b3c4d5e digits-test_resnet-BCELoss-seed0-5e4d3c2b1a
  margin-bench compare 'digits-*-TwoWayLoss-both-*' 'digits-*-TwoWayLoss-class-*' metric=map_class
"""


KEYS_SHOWN = 12  # of those in which groups differ


@dataclass(frozen=True)
class SeedGroup:
    """Hold finished runs that differ in their seeds alone, in the order of their seeds.

    Attributes:
        name: what the user calls it on the command line.
        records: of the runs.
        saved: the scores of the runs.
    """

    name: str
    records: list[dict[str, Any]]
    saved: list[SavedScores]

    @property
    def seeds(self) -> list[int]:
        """Return the seeds of the runs."""
        return [record["seed"] for record in self.records]


def add_arguments(parser: Parser) -> None:
    """Take the runs to compare, overrides and `--json`."""
    words = WORDS.format(defaults=defaults_in_words(configs_dir() / "compare.yaml"))
    parser.add_words("FIRST OTHER [OTHER ...] [key=value ...]", words, lambda line: _known_runs())
    parser.add_argument("--json", action="store_true", help="print all the numbers, in 0 .. 1 as in a record")


def run(line: argparse.Namespace) -> None:
    """Compare runs and print what the comparison says.

    Raises:
        ConfigError: a word does not fit, or the runs cannot be compared.
        CheckpointError: a run is not there, not finished, or not what its record says.
    """
    names, overrides = names_and_overrides(line.words)
    config: CompareConfig = typed("compare", composed("compare", overrides, Sources()))
    if len(names) < 2:
        raise ConfigError("margin-bench compare needs two runs or more\nmargin-bench compare --help says more")
    groups = [_group(name, Path(config.runs_dir)) for name in names]
    _check_same_samples(groups)
    comparisons = compare(
        [[saved.scores for saved in group.saved] for group in groups],
        groups[0].saved[0].targets,
        list(METRICS) if config.metric == "both" else [config.metric],
        config.resamples,
        config.seed,
    )
    show = _in_json if line.json else _in_words
    say(show(groups, comparisons, config))


def _known_runs() -> list[str]:
    """Return the ids of the runs in the folder where runs are by default."""
    return sorted(path.parent.name for path in default_runs_dir().glob(f"*/{RECORD}"))


def _group(name: str, runs_dir: Path) -> SeedGroup:
    """Read the runs that a name stands for."""
    run_dirs = [run_dir for word in name.split(",") for run_dir in _run_dirs(word, runs_dir)]
    records = {run_dir: read_finished(run_dir) for run_dir in run_dirs}
    for run_dir, record in records.items():
        check_shape(record, run_dir)
    by_seed = sorted(run_dirs, key=lambda run_dir: int(records[run_dir]["seed"]))
    _check_seeds_alone(name, [records[run_dir] for run_dir in by_seed])
    return SeedGroup(
        name,
        [records[run_dir] for run_dir in by_seed],
        [load_scores(run_dir, records[run_dir]) for run_dir in by_seed],
    )


def _run_dirs(word: str, runs_dir: Path) -> list[Path]:
    """Return the directories of the runs that a word stands for: an id, a path, or a pattern of either."""
    run_dir = find_run(word, runs_dir)
    if run_dir.is_dir() or not set(word) & set("*?["):
        return [run_dir]
    found = _matches(runs_dir, word) or _matches(Path(), word)
    if not found:
        raise CheckpointError(
            f"{word} matches no run, neither in {runs_dir} nor as a path; runs_dir=DIR says where they are"
        )
    return found


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return the runs that a pattern stands for, within a folder unless the pattern is absolute."""
    root = Path(pattern).anchor
    try:
        found = list((folder / root).glob(pattern.removeprefix(root)))
    except ValueError as error:
        raise ConfigError(f"{pattern} is no pattern of runs: {error}") from error
    return sorted(path for path in found if (path / RECORD).is_file())


def _check_seeds_alone(name: str, records: list[dict[str, Any]]) -> None:
    """Refuse a group, sorted by seed, whose runs differ in more than their seeds, or that has a seed twice."""
    first = _traits(records[0])
    for record in records[1:]:
        traits = _traits(record)
        differing = [key for key in sorted({*first, *traits}) if first.get(key) != traits.get(key)]
        if differing:
            key = differing[0]
            raise ConfigError(
                f"{name}: the runs of a group may differ in their seeds alone; {records[0]['run_id']} has "
                f"{key}={first.get(key)},\n{record['run_id']} has {key}={traits.get(key)}. Give them as two groups."
            )
    for one, next_one in itertools.pairwise(records):
        if one["seed"] == next_one["seed"]:
            raise ConfigError(
                f"{name}: seed {one['seed']} is in it twice, by {one['run_id']}\nand {next_one['run_id']}. "
                "Give one run of each seed."
            )


def _traits(record: dict[str, Any]) -> dict[str, str]:
    """Return what decides the result of a run besides its seed, by dotted key; files and data by their content."""
    traits = {key: value for key, value in traits_of_record(record).items() if key.rpartition(".")[2] != "seed"}
    return {**traits, "fingerprint of the training data": record["dataset"]["fingerprints"]["train"][:12]}


def _check_same_samples(groups: list[SeedGroup]) -> None:
    """Refuse runs that were scored on other samples, labels or classes than the first, by the splits' fingerprints."""
    first = groups[0].records[0]
    expected = first["dataset"]["fingerprints"]["test"]
    for record in (record for group in groups for record in group.records):
        found = record["dataset"]["fingerprints"]["test"]
        if found != expected:
            raise ConfigError(
                f"{record['run_id']} and {first['run_id']} cannot be compared: their test splits differ in samples,\n"
                f"labels or classes, by the fingerprints {found[:12]} and {expected[:12]}.\n"
                "Compare runs on one data set, with the same data.holdout."
            )


def _in_words(groups: list[SeedGroup], comparisons: list[Comparison], config: CompareConfig) -> str:
    """Write comparisons as text, in percent."""
    num_samples, num_classes = groups[0].saved[0].targets.shape
    lines = [f"{counted(num_samples, 'sample')}, {counted(num_classes, 'class', 'classes')}; values in percent"]
    differing = _differing(groups)
    if differing:
        lines.append("in which they differ:")
        lines += [f"  {key}: {' | '.join(values)}" for key, values in list(differing.items())[:KEYS_SHOWN]]
    if len(differing) > KEYS_SHOWN:
        lines.append(f"  and {len(differing) - KEYS_SHOWN} more; --json shows all")
    for comparison in comparisons:
        title, units = TITLES[comparison.metric]
        lines += ["", title]
        for number, (group, measured) in enumerate(zip(groups, comparison.groups, strict=True), start=1):
            lines.append(f"  #{number}  {_measured_in_words(measured, group.seeds)}   {group.name}")
        for number, difference in enumerate(comparison.differences, start=2):
            lines += _difference_in_words(f"#{number} minus #1", difference, units, config.resamples)
            if comparison.metric == "map_class":
                lines += _largest(difference, groups[0].saved[0].class_names)
    return "\n".join(lines)


def _differing(groups: list[SeedGroup]) -> dict[str, list[str]]:
    """Return the value of each group for each key in which they differ."""
    traits = [_traits(group.records[0]) for group in groups]
    keys = sorted({key for each in traits for key in each})
    values = {key: [each.get(key, "-") for each in traits] for key in keys}
    return {key: found for key, found in values.items() if len(set(found)) > 1}


def _measured_in_words(measured: ScoredRun, seeds: list[int]) -> str:
    """Write the score of a group, with its seeds."""
    spread = "" if measured.std is None else f" ± {100 * measured.std:.2f}"
    return f"{100 * measured.mean:.2f}{spread} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"


def _difference_in_words(label: str, difference: Difference, units: str, resamples: int) -> list[str]:
    """Write a difference in two lines: the whole, then unit by unit."""
    low, high = (100 * end for end in difference.interval)
    corrected = f", {difference.holm_p:.2g} by Holm" if difference.holm_p != difference.wilcoxon_p else ""
    return [
        f"  {label}: {100 * difference.difference:+.2f}, {PERCENTILES[1] - PERCENTILES[0]:g} % interval {low:+.2f} to "
        f"{high:+.2f}; above 0 in {100 * difference.share_above_zero:.2f} % of {counted(resamples, 'resample')}",
        f"    {units}: {difference.better:,} better, {difference.worse:,} worse, {difference.equal:,} equal; "
        f"Wilcoxon p = {difference.wilcoxon_p:.2g}{corrected}",
    ]


def _largest(difference: Difference, class_names: tuple[str, ...]) -> list[str]:
    """Name the classes that gain and those that lose most."""
    by_class = _by_class(difference, class_names)
    gains = [f"{name} {100 * value:+.2f}" for name, value in by_class[:SHOWN] if value > 0]
    losses = [f"{name} {100 * value:+.2f}" for name, value in by_class[::-1][:SHOWN] if value < 0]
    return [f"    most {word}: {', '.join(found)}" for word, found in (("gained", gains), ("lost", losses)) if found]


def _by_class(difference: Difference, class_names: tuple[str, ...]) -> list[tuple[str, float]]:
    """Return the classes with a positive, by their difference, the largest first."""
    pairs = zip(class_names, difference.by_unit.tolist(), strict=True)
    return sorted((pair for pair in pairs if not np.isnan(pair[1])), key=lambda pair: (-pair[1], pair[0]))


def _in_json(groups: list[SeedGroup], comparisons: list[Comparison], config: CompareConfig) -> str:
    """Write all the numbers as JSON, in 0 .. 1 as in a record."""
    num_samples, num_classes = groups[0].saved[0].targets.shape
    content = {
        "num_samples": num_samples,
        "num_classes": num_classes,
        "resamples": config.resamples,
        "seed": config.seed,
        "groups": [
            {"name": group.name, "run_ids": [record["run_id"] for record in group.records], "seeds": group.seeds}
            for group in groups
        ],
        "differing": _differing(groups),
        "metrics": {comparison.metric: _numbers(comparison, groups) for comparison in comparisons},
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _numbers(comparison: Comparison, groups: list[SeedGroup]) -> dict[str, Any]:
    """Return the numbers of one metric."""
    differences = []
    for difference in comparison.differences:
        numbers = {key: value for key, value in vars(difference).items() if key != "by_unit"}
        if comparison.metric == "map_class":
            numbers["by_class"] = dict(_by_class(difference, groups[0].saved[0].class_names))
        differences.append(numbers)
    return {"groups": [vars(measured) for measured in comparison.groups], "differences": differences}
