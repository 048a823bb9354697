"""Score a finished run again: `margin-bench evaluate`. Imports torch only where the model has to run."""

from pathlib import Path
from typing import Any

from margin_bench.config.schema import EvaluateConfig
from margin_bench.metrics.named import named_metrics, values_of
from margin_bench.metrics.protocols import report
from margin_bench.records.record import find_run, read_finished
from margin_bench.records.scores import load_scores
from margin_bench.records.shape import check_shape
from margin_bench.runtime.console import say


def evaluate(config: EvaluateConfig) -> None:
    """Score a finished run again and print the metrics; take its saved scores where they are the scores asked for.

    Raises:
        CheckpointError: there is no such run, it is not finished, or its scores or weights are not those of its record.
        ConfigError: its record names code that is not ours, and the user has not said trust=true; or there is no such
            metric.
        DataError, StoppedError: as in `runs.repredict.repredict`.
    """
    metrics = named_metrics(config.metric.names)
    run_dir = find_run(config.run, Path(config.runs_dir))
    record = read_finished(run_dir)
    check_shape(record, run_dir)
    if _are_saved(config, record):
        saved = load_scores(run_dir, record)
        where = f"saved scores of the test split, last epoch of {run_dir}"
        others = values_of(metrics, saved.scores, saved.targets)
        say(report(saved.scores, saved.targets, config.metric.protocol, where, others))
        return
    from margin_bench.runs.repredict import repredict

    repredict(config, record, run_dir)


def _are_saved(config: EvaluateConfig, record: dict[str, Any]) -> bool:
    """Return whether the scores that the run has saved are those that the configuration asks for."""
    is_as_trained = config.split == "test" and config.weights == "last" and config.root is None
    return is_as_trained and not config.recompute and not record["config"]["data"]["holdout"]
