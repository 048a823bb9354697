"""What we take from the insides of Hydra: a new version of it that has changed them fails here first."""

import pytest
from hydra.errors import HydraException
from submitit import AutoExecutor

from margin_bench.config.hydra_internals import (
    apply_override,
    arguments_parser,
    group_options,
    instantiate_launcher,
    parse_override,
    submit,
)
from margin_bench.config.sources import Sources


def test_the_parser_knows_hydras_options_and_leaves_overrides():
    parsed = arguments_parser().parse_args(["--cfg", "job", "-m", "seed=1,2"])
    assert (parsed.cfg, parsed.multirun, parsed.overrides) == ("job", True, ["seed=1,2"])


def test_an_override_is_read_in_hydras_grammar():
    parsed = parse_override("+loss.margin=1,2.5")
    assert (parsed.key_or_group, parsed.is_add(), parsed.is_sweep_override()) == ("loss.margin", True, True)
    with pytest.raises(HydraException):
        parse_override("loss.margin=[1")


def test_the_options_of_a_group_come_from_all_folders(tmp_path):
    (tmp_path / "loss").mkdir()
    (tmp_path / "loss" / "mine.yaml").write_text("name: mine\n", encoding="utf-8")
    sources = Sources(tmp_path)
    with sources.opened():
        assert {"mine", "twoway"} <= set(group_options("loss", sources.search_words))
        assert "mine" not in group_options("loss", [])


def test_an_override_put_in_afterwards_composes_to_the_same():
    sources = Sources()
    with sources.opened():
        config = sources.compose("train", [])
        apply_override(parse_override("loss.logit_bias=2"), config)
        assert config == sources.compose("train", ["loss.logit_bias=2"])


@pytest.mark.parametrize(("words", "name"), [([], "basic"), (["hydra/launcher=submitit_local"], "submitit_local")])
def test_a_launcher_is_made_with_its_name(words, name):
    with Sources().opened():
        launcher, found = instantiate_launcher("train", words, lambda config: None)
    assert found == name
    assert callable(launcher.launch)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("submitit_local", ["timeout_min=5", "mem_gb=3"]),
        ("submitit_slurm", ["timeout_min=5", "partition=any", "max_num_timeout=7"]),
    ],
)
def test_jobs_are_submitted_as_the_launcher_itself_submits_them(tmp_path, monkeypatch, name, options):
    calls = []

    def map_array(executor, launcher, words, keys, numbers, ids, states):
        known = [set(state["instances"]) for state in states]
        calls.append((launcher, vars(executor._executor), words, keys, numbers, ids, known))
        return []

    monkeypatch.setattr(AutoExecutor, "map_array", map_array)
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")  # as on a machine that has Slurm
    words = [f"hydra/launcher={name}", f"hydra.sweep.dir={tmp_path}", *(f"hydra.launcher.{word}" for word in options)]
    with Sources().opened():
        launcher, _ = instantiate_launcher("train", words, lambda config: None)
        jobs = [["seed=0"], ["seed=1", "epochs=2"]]
        launcher.launch(jobs, initial_job_idx=0)
        submit(launcher, jobs)
    theirs, ours = calls
    assert ours == theirs
