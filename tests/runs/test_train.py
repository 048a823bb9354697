"""Whole runs through the command: what they leave behind, and how they go on after a stop or a failure."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from margin_bench.cli import main
from margin_bench.config.sources import configs_dir
from margin_bench.data import digits
from margin_bench.metrics.average_precision import map_class, map_sample
from margin_bench.records.paths import read_paths
from margin_bench.records.record import write_record
from tests.helpers.kill_and_resume import finish, kill_and_resume
from tests.helpers.tiny_run import LONGER, TINY, is_saving, read_record, read_result, start, torchrun, train, wait_until

LOSS_WITHOUT_PARAMETERS = [
    "~loss.way",
    "~loss.positive_temperature",
    "~loss.negative_temperature",
    "~loss.logit_bias",
    "~loss.denominator",
]


def test_a_run_leaves_a_record_that_its_files_bear_out(finished_run):
    record = read_record(finished_run.parent)
    assert record["status"] == "finished"
    assert record["run_id"] == finished_run.name
    assert record["seed"] == record["config"]["seed"] == 0
    assert (record["dataset"]["num_train"], record["dataset"]["num_test"]) == (256, 64)
    assert len(record["dataset"]["class_names"]) == 80
    assert record["metric_protocol"] == "paper"
    assert record["config"]["precision"] in ("bf16", "fp32")
    assert record["weights_sha256"] == hashlib.sha256((finished_run / "weights.safetensors").read_bytes()).hexdigest()
    assert record["scores_sha256"] == hashlib.sha256((finished_run / "scores.npz").read_bytes()).hexdigest()
    scores = np.load(finished_run / "scores.npz", allow_pickle=False)
    assert scores["scores"].shape == scores["targets"].shape == (64, 80)
    assert scores["class_names"].shape == (80,)
    assert record["metrics"]["map_class"] == map_class(scores["scores"], scores["targets"])
    assert record["metrics"]["map_sample"] == map_sample(scores["scores"], scores["targets"])
    assert record["metrics"]["classes_left_out"] == (~(scores["targets"] == 1).any(0)).sum()
    lines = [json.loads(line) for line in (finished_run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == record["history"]
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert ["map_class" in line for line in lines] == [False, True, False, True]
    assert all(0 <= line["violating_samples"] <= 1 and 0 <= line["violating_classes"] <= 1 for line in lines)
    assert record["best"]["map_class"] == max(line["map_class"] for line in lines if "map_class" in line)
    assert record["durations"]["train_seconds"] > 0
    assert record["environment"]["versions"]["torch"]


def test_a_record_holds_no_path_of_this_machine_and_the_run_keeps_them_beside_it(finished_run, data_root):
    text = (finished_run / "record.json").read_text(encoding="utf-8")
    for folder in (data_root, finished_run.parent, Path.cwd(), sys.prefix):
        assert str(folder) not in text
    config, paths = read_record(finished_run.parent)["config"], read_paths(finished_run)
    assert (config["dataset"]["root"], config["backbone"]["weights"]) == (data_root.name, "digits.safetensors")
    assert paths["dataset.root"] == str(data_root)
    assert Path(paths["backbone.weights"]).is_file()
    assert paths["runs_dir"] == str(finished_run.parent)


def test_the_error_in_a_record_has_the_names_of_files_alone_and_the_log_the_whole(tmp_path):
    folder = tmp_path / "my data"
    assert (
        main(["train", "dataset=coco", "backbone=digits", f"dataset.root={folder}", f"runs_dir={tmp_path}/runs"]) == 3
    )
    record = read_record(tmp_path / "runs")
    assert "instances_train2014.json" in record["error"]
    assert str(tmp_path) not in json.dumps(record)
    (log,) = tmp_path.glob("runs/*/log.txt")
    assert str(folder) in log.read_text(encoding="utf-8")


def test_a_finished_run_again_is_only_shown(finished_run, capsys):
    before = {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")}
    assert train(finished_run.parent) == 0
    assert {path: path.stat().st_mtime_ns for path in finished_run.rglob("*")} == before
    assert "mAP@class" in capsys.readouterr().out


def test_a_finished_run_with_data_elsewhere_is_told(finished_run, tmp_path, capsys):
    before = read_paths(finished_run)["dataset.root"]
    assert train(finished_run.parent, f"dataset.root={tmp_path}") == 0
    assert f"finished already, with the data in {before}" in capsys.readouterr().err


def test_the_number_of_workers_does_not_matter(finished_run, tmp_path):
    assert train(tmp_path, "workers=2") == 0
    assert read_result(tmp_path) == read_result(finished_run.parent)


def test_two_processes_rank_as_one_does(finished_run, tmp_path):
    assert train(tmp_path, "precision=fp32", "devices=2") == 0
    alone = tmp_path / "alone"
    assert train(alone, "precision=fp32") == 0
    together, expected = read_record(tmp_path), read_record(alone)
    assert (together["num_processes"], expected["num_processes"]) == (2, 1)
    assert together["run_id"] == expected["run_id"]
    for entry, expected_entry in zip(together["history"], expected["history"], strict=True):
        assert entry == pytest.approx(expected_entry, rel=1e-4)


# With two processes, the order of a sum of two numbers could not show.
@pytest.mark.parametrize(("processes", "kills"), [(1, 2), (4, 1)])
def test_a_run_killed_at_any_moment_ends_as_the_unbroken_one(tmp_path, processes, kills):
    words = (f"devices={processes}", "microbatch_size=8")
    finish(tmp_path / "unbroken", *words)
    assert kill_and_resume(tmp_path / "broken", kills, *words) > 0
    assert read_result(tmp_path / "broken") == read_result(tmp_path / "unbroken")


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_at_the_step_boundary_and_the_run_goes_on_from_there(longer_run, tmp_path, number, exit_code):
    stopped = tmp_path / "stopped"
    run = start(stopped, *LONGER)
    wait_until(lambda: is_saving(stopped) or list(stopped.glob("*/checkpoints/*.pt")))
    run.send_signal(number)
    _, said = run.communicate(timeout=300)
    assert run.returncode == exit_code
    assert "the state is saved at epoch" in said
    assert "Traceback" not in said
    assert read_record(stopped)["status"] == "stopped"
    assert train(stopped, *LONGER) == 0
    assert read_result(stopped) == read_result(longer_run)


def test_a_run_that_goes_on_already_is_not_started_twice(tmp_path, capsys):
    overrides = ["epochs=500", "evaluate_every=500"]
    first = start(tmp_path, *overrides)
    wait_until(lambda: list(tmp_path.glob("*/record.json")))
    assert train(tmp_path, *overrides) == 6
    assert "going on already" in capsys.readouterr().err
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()


def test_a_loss_that_is_not_finite_ends_the_run_before_the_update(tmp_path, monkeypatch, capsys):
    (tmp_path / "failing_package.py").write_text(
        "import torch\n"
        "class FailsLater(torch.nn.Module):\n"
        "    calls = 0\n"
        "    def forward(self, logits, targets):\n"
        "        type(self).calls += 1\n"
        "        return (logits ** 2).mean() * (float('nan') if self.calls > 6 else 1)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    # Four steps of one bucket each make an epoch: the loss fails in the third step of the second.
    assert train(tmp_path / "runs", "loss._target_=failing_package.FailsLater", *LOSS_WITHOUT_PARAMETERS) == 5
    said = capsys.readouterr().err
    assert "the loss is nan in epoch 2, step 3" in said
    record = read_record(tmp_path / "runs")
    assert record["status"] == "diverged"
    assert "the loss is nan" in record["error"]
    assert [entry["epoch"] for entry in record["history"]] == [1]
    assert len(list(tmp_path.glob("runs/*/checkpoints/epoch0001-step0000000-*.pt"))) == 1


ENDS_LATER = """
import os, signal, sys, time, torch

class Ends(torch.nn.Module):
    calls = 0

    def forward(self, logits, targets):
        self.calls += 1
        if os.environ.get("RANK", "0") == "{rank}" and self.calls > 2:
            {ending}
        return (logits ** 2).mean()
"""


def start_what_ends(tmp_path, monkeypatch, ending, rank, *overrides):
    (tmp_path / "ending_package.py").write_text(ENDS_LATER.format(ending=ending, rank=rank), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return start(tmp_path / "runs", "loss._target_=ending_package.Ends", *overrides, *LOSS_WITHOUT_PARAMETERS)


@pytest.mark.parametrize(
    ("rank", "ending", "exit_code", "said", "cause"),
    [
        (1, "raise ValueError('odd')", 1, "process 1 of the run ended first", "process 1 failed: ValueError: odd"),
        (1, "raise MemoryError", 5, "process 1 of the run ended first", "process 1 failed: RunError: no memory left"),
        (1, "os.kill(os.getpid(), signal.SIGKILL)", 5, "process 1 of the run ended first, by SIGKILL", "SIGKILL"),
        (0, "os.kill(os.getpid(), signal.SIGKILL)", 5, "process 0 of the run ended", "process 0 of the run"),
    ],
)
def test_the_process_that_ends_a_run_is_named_and_so_is_its_cause(
    tmp_path, monkeypatch, rank, ending, exit_code, said, cause
):
    run = start_what_ends(tmp_path, monkeypatch, ending, rank, "devices=2")
    _, told = run.communicate(timeout=300)
    assert run.returncode == exit_code
    assert said in told
    assert "closed by peer" not in told
    record = read_record(tmp_path / "runs")
    assert record["status"] == "failed"
    assert cause in record["error"]
    assert "gloo" not in record["error"]


HANGS = "signal.signal(signal.SIGTERM, signal.SIG_DFL); time.sleep(600)"  # else the launcher waits half a minute for it


def test_a_process_that_hangs_ends_the_run_and_is_named(tmp_path, monkeypatch):
    run = start_what_ends(tmp_path, monkeypatch, HANGS, 1, "devices=2", "process_timeout=3")
    _, told = run.communicate(timeout=300)
    assert run.returncode == 5
    assert "1 of 2, counted from 0, crashed, was killed or hangs" in told
    record = read_record(tmp_path / "runs")
    assert record["status"] == "failed"
    assert "1 of 2" in record["error"]


def test_a_loss_that_ends_the_program_does_not_end_the_run_well(tmp_path, monkeypatch):
    run = start_what_ends(tmp_path, monkeypatch, "sys.exit(0)", 0)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 1
    assert "ended the program, with exit code 0" in told
    assert "Traceback" not in told
    assert read_record(tmp_path / "runs")["status"] == "failed"


@pytest.mark.parametrize("cause", ["MemoryError", "torch.zeros(10**14)"])
def test_no_memory_is_told_with_what_to_lower(tmp_path, monkeypatch, cause):
    ending = "raise MemoryError" if cause == "MemoryError" else cause
    run = start_what_ends(tmp_path, monkeypatch, ending, 0)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 5
    assert "no memory left" in told
    assert "Lower microbatch_size" in told
    assert "Traceback" not in told


GETS_STUCK = """
import time
from pathlib import Path
from margin_bench.data.scenes import Scenes

class Stuck(Scenes):
    def __call__(self, image, rng):
        while rng is not None and Path("{flag}").exists():
            time.sleep(0.1)
        return super().__call__(image, rng)
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_signal_saves_also_while_no_image_comes(tmp_path, monkeypatch, workers):
    flag = tmp_path / "stuck"
    (tmp_path / "stuck_package.py").write_text(GETS_STUCK.format(flag=flag), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    words = (*LONGER, "epochs=50", f"workers={workers}", "transforms._target_=stuck_package.Stuck")
    run = start(tmp_path / "runs", *words)
    wait_until(lambda: list(tmp_path.glob("runs/*/checkpoints/*.pt")))
    flag.touch()
    time.sleep(1)
    started = time.monotonic()
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=60)
    assert time.monotonic() - started < 10  # 2 s to give up, the rest to end: this machine may be busy
    assert run.returncode == 75
    assert "the state is saved at epoch" in told
    assert read_record(tmp_path / "runs")["status"] == "stopped"


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_before_the_training_ends_the_run_at_once(tmp_path, monkeypatch, number, exit_code):
    """While a data set is read, weights are fetched or modules imported, nothing is there to be saved."""
    (tmp_path / "slow_package.py").write_text(
        "import time\ndef load(split, **options):\n    time.sleep(600)\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = start(tmp_path / "runs", "dataset._target_=slow_package.load")
    wait_until(lambda: list(tmp_path.glob("runs/*/record.json")))
    time.sleep(0.5)
    run.send_signal(number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == exit_code
    assert "Traceback" not in told
    assert read_record(tmp_path / "runs")["status"] == "stopped"


@pytest.mark.parametrize("delay", [0.1, 0.4, 0.8, 1.5])
def test_a_signal_during_the_imports_shows_no_traceback(tmp_path, delay):
    run = start(tmp_path)
    time.sleep(delay)
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=60)
    assert "Traceback" not in told
    assert run.returncode in (75, -signal.SIGTERM)  # the latter before anything of ours runs


def test_an_update_that_leaves_no_finite_weights_is_never_saved(tmp_path, capsys):
    assert train(tmp_path, "optim.head_lr=1e38", "optim.weight_decay=1e38") == 5
    assert not list(tmp_path.glob("*/checkpoints/*.pt"))
    assert "Lower optim.head_lr" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "exit_code", "said"),
    [
        (["runs_dir={tmp}/file/runs"], 4, "Give a folder as runs_dir=DIR"),
        (["-m", "seed=0,1", "runs_dir={tmp}/file/runs"], 4, "Give a writable runs_dir=DIR"),
        (["backbone.weights={tmp}/missing.safetensors"], 3, "cannot be read"),
        (["backbone=timm", "backbone.name=test_resnett"], 2, "did you mean test_resnet"),
        (["backbone=timm", "backbone.name=vit_tiny_patch16_224", "backbone.pretrained=false"], 2, "images of 64 x 64"),
        (["seed=1,2"], 2, "seed=1,2: several values make a sweep, which wants -m"),
        (["runs_dir="], 2, "runs_dir=: expected the name of a folder"),
        (["tracker=wandb", "batch_size=48"], 2, "bucket_size=64 does not divide batch_size=48"),
    ],
)
def test_a_mistake_of_the_user_has_its_exit_code_and_no_traceback(tmp_path, capsys, overrides, exit_code, said):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert train(tmp_path, *[override.format(tmp=tmp_path) for override in overrides]) == exit_code
    message = capsys.readouterr().err
    assert said in message
    assert len(message.splitlines()) <= 3


def test_a_data_set_that_is_not_there_is_named_with_where_it_is_expected(tmp_path, capsys):
    coco = ["train", "dataset=coco", "backbone=digits", f"runs_dir={tmp_path}"]
    assert main([*coco, f"dataset.root={tmp_path}"]) == 3
    assert "annotations/instances_train2014.json" in capsys.readouterr().err
    assert read_record(tmp_path)["status"] == "failed"


def test_a_broken_newest_checkpoint_costs_an_epoch_and_nothing_else(finished_run, tmp_path):
    assert train(tmp_path) == 0
    (run_dir,) = tmp_path.glob("*")
    newest = max(run_dir.glob("checkpoints/*.pt"))
    newest.write_bytes(newest.read_bytes()[:-1] + b"x")
    record = read_record(tmp_path)
    write_record(run_dir, {name: record[name] for name in record.keys() - {"schema", "sha256"}} | {"status": "failed"})
    assert train(tmp_path) == 0
    assert read_result(tmp_path) == read_result(finished_run.parent)


def test_a_broken_run_does_not_go_on_with_other_data(finished_run, tmp_path, monkeypatch, capsys):
    run_dir = tmp_path / finished_run.name
    shutil.copytree(finished_run, run_dir)
    record = read_record(tmp_path)
    write_record(run_dir, {name: record[name] for name in record.keys() - {"schema", "sha256"}} | {"status": "failed"})

    load = digits.load

    @functools.wraps(load)
    def reversed_targets(split, **options):
        scenes = load(split, **options)
        return dataclasses.replace(scenes, targets=scenes.targets[::-1]) if split == "train" else scenes

    monkeypatch.setattr(digits, "load", reversed_targets)
    assert train(tmp_path) == 3
    assert "the train samples are not those" in capsys.readouterr().err


def test_a_held_out_part_of_the_train_split_is_scored_in_place_of_the_test_split(tmp_path, capsys):
    assert train(tmp_path, "data.holdout=0.25", "epochs=1", "batch_size=32", "bucket_size=32") == 0
    facts = read_record(tmp_path)["dataset"]
    assert (facts["num_train"], facts["num_test"]) == (192, 64)
    assert "held-out part of the train split" in capsys.readouterr().out
    (path,) = tmp_path.glob("*/scores.npz")
    held_out = np.load(path, allow_pickle=False)["targets"]
    whole = digits.load("train", os.environ["MARGIN_BENCH_DATA"], 256, 64).targets
    rows = {row.tobytes() for row in whole}
    assert all(row.tobytes() in rows for row in held_out)


def test_a_tracker_gets_every_epoch(tmp_path):
    assert train(tmp_path, "tracker=tensorboard", "epochs=2") == 0
    assert list(tmp_path.glob("*/tensorboard/events*"))


def test_every_experiment_runs(tmp_path):
    names = [path.stem for path in (configs_dir() / "experiment").glob("*.yaml")]
    assert names
    for name in names:
        assert train(tmp_path / name, f"experiment={name}", "epochs=1") == 0


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_stops_two_processes_at_one_step(tmp_path, number, exit_code):
    run = start(tmp_path, "devices=2", "epochs=300", "evaluate_every=300")
    wait_until(lambda: list(tmp_path.glob("*/checkpoints/*.pt")))
    os.killpg(run.pid, number)
    _, said = run.communicate(timeout=300)
    assert run.returncode == exit_code
    assert "Traceback" not in said
    assert read_record(tmp_path)["status"] == "stopped"


def members(group: int) -> list[int]:
    """The processes of a process group."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):  # it has ended
            if os.getpgid(int(path.name)) == group:
                found.append(int(path.name))
    return found


def has_torch(pid: int) -> bool:
    try:
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return False


def test_an_interrupt_before_two_processes_have_begun_shows_no_traceback(tmp_path):
    run = start(tmp_path, "devices=2")
    # The first process has imported torch; the other two have begun to.
    wait_until(lambda: sum(has_torch(pid) for pid in members(run.pid)) >= 3)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "Traceback" not in said


REQUEUED = """
import signal, sys
from margin_bench.cli import main

def requeue(number, frame):
    sys.exit(7)

if __name__ == "__main__":
    signal.signal(signal.SIGUSR2, requeue)
    sys.exit(main())
"""


def test_a_signal_that_asks_for_a_requeue_leaves_two_processes_to_save(tmp_path):
    script = tmp_path / "requeued.py"
    script.write_text(REQUEUED, encoding="utf-8")
    words = ["train", *TINY, f"runs_dir={tmp_path / 'runs'}", "devices=2", "epochs=300", "evaluate_every=300"]
    run = subprocess.Popen([sys.executable, str(script), *words], start_new_session=True, stderr=subprocess.DEVNULL)
    wait_until(lambda: list(tmp_path.glob("runs/*/checkpoints/*.pt")))
    os.killpg(run.pid, signal.SIGUSR2)  # as Slurm does
    assert run.wait(timeout=300) == 7
    assert read_record(tmp_path / "runs")["status"] == "stopped"


def test_two_processes_stop_when_the_one_that_has_started_them_is_killed(tmp_path):
    run = start(tmp_path, "devices=2", "epochs=300", "evaluate_every=300")
    wait_until(lambda: list(tmp_path.glob("*/checkpoints/*.pt")))
    run.kill()
    run.communicate(timeout=300)
    wait_until(lambda: not members(run.pid))
    assert read_record(tmp_path)["status"] == "stopped"


def test_torchrun_starts_a_run_as_well(tmp_path, capsys):
    command = [*torchrun(2), "-m", "margin_bench", "train", *TINY, f"runs_dir={tmp_path}", "epochs=1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mAP@class") == 1
    assert read_record(tmp_path)["num_processes"] == 2


def test_weights_that_diverge_in_the_last_step_of_an_epoch_end_the_run_with_5(tmp_path, capsys):
    assert train(tmp_path, "optim.head_lr=1e30", "optim.backbone_lr=1e30", "dataset.num_train=64", "epochs=1") == 5
    assert "Lower optim.head_lr" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/checkpoints/*.pt"))


@pytest.mark.parametrize(
    ("test_split", "said"),
    [
        ("Split(images, targets, ('b', 'a'))", "the classes of the splits of dataset=mine differ: a and b"),
        ("Split(images, targets, ('a', 'b', 'c'))", "4 images and 3 class names"),
        ("Split(images[:3], targets, ('a', 'b'))", "3 images and 2 class names"),
        ("Split(images.astype(np.float32), targets, ('a', 'b'))", "images float32 (4, 64, 64, 3)"),
        ("Split(images, targets * 0, ('a', 'b'))", "holds no positive"),
    ],
)
def test_splits_that_do_not_fit_are_refused_before_training(tmp_path, monkeypatch, capsys, test_split, said):
    (tmp_path / "misfit_data.py").write_text(
        "import numpy as np\n"
        "from margin_bench.data.split import Split\n"
        "def load(split):\n"
        "    images = np.zeros((4, 64, 64, 3), np.uint8)\n"
        "    targets = np.array([[1, 0]] * 4, np.int8)\n"
        f"    return Split(images, targets, ('a', 'b')) if split == 'train' else {test_split}\n",
        encoding="utf-8",
    )
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("name: mine\n_target_: misfit_data.load\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "misfit_data", raising=False)
    mine = ["--config-dir", str(tmp_path), "dataset=mine", "backbone=digits", "transforms=scenes", "precision=fp32"]
    assert main(["train", *mine, f"runs_dir={tmp_path}/runs", "epochs=1"]) == 3
    message = capsys.readouterr().err
    assert said in message
    assert "Traceback" not in message


def test_more_processes_than_test_samples(tmp_path):
    run = start(tmp_path, "devices=2", "dataset.num_test=1", "epochs=1")
    _, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
