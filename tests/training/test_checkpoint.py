import io
import json
import multiprocessing
import os
import pickle
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from margin_bench.errors import CheckpointError, DataError
from margin_bench.runtime.files import sha256
from margin_bench.training.checkpoint import load_best, load_latest, load_weights, save, save_weights


def state_at(step: int) -> dict[str, Any]:
    return {
        "model": {"weight": torch.full((8, 8), float(step))},
        "optimiser": {
            "state": {0: {"momentum": torch.full((8,), step, dtype=torch.bfloat16)}},
            "groups": [{"lr": 0.1}],
        },
        "step": step,
        "history": [{"epoch": 1, "map_class": 0.5, "note": None}],
    }


def save_at(folder: Path, step: int, *, best: bool = False) -> None:
    save(folder, state_at(step), epoch=step // 10, step=step, best=best)


def step_of(state: dict[str, Any] | None) -> int | None:
    """The step of a state, whose tensors must belong to it."""
    if state is None:
        return None
    step = state["step"]
    assert torch.equal(state["model"]["weight"], torch.full((8, 8), float(step)))
    return int(step)


def state_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.pt"))


def flip_bit(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


class Malicious:
    """Unpickled without care, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.folder),)


class Killed(BaseException):
    """No handler of errors and no clean-up gets to see the end of a killed process."""


def kill_after(num_operations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let that many file operations happen and none after them; data that was not synchronised is half there."""
    left = num_operations

    def mortal(operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if left == 0:
                if operation is fsync and stat.S_ISREG(os.fstat(args[0]).st_mode):
                    os.truncate(args[0], os.fstat(args[0]).st_size // 2)
                raise Killed
            left -= 1
            return operation(*args, **kwargs)

        return call

    fsync = os.fsync
    for module, name in [(io, "open"), (os, "fsync"), (os, "mkdir"), (os, "replace"), (os, "unlink")]:
        monkeypatch.setattr(module, name, mortal(getattr(module, name)))


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save_at(tmp_path, 7)
    state = load_latest(tmp_path)
    assert step_of(state) == 7
    assert state is not None
    assert torch.equal(state["optimiser"]["state"][0]["momentum"], torch.full((8,), 7, dtype=torch.bfloat16))
    assert state["optimiser"]["groups"] == [{"lr": 0.1}]
    assert state["history"] == [{"epoch": 1, "map_class": 0.5, "note": None}]


def test_without_a_checkpoint_there_is_no_state(tmp_path: Path) -> None:
    assert load_latest(tmp_path / "checkpoints") is None
    assert load_best(tmp_path / "checkpoints") is None


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in range(1, 7):
        save_at(tmp_path, step, best=step == 2)
    assert step_of(load_latest(tmp_path)) == 6
    assert step_of(load_best(tmp_path)) == 2
    assert [path.name[:21] for path in state_files(tmp_path)] == [
        "epoch0000-step0000002",
        "epoch0000-step0000005",
        "epoch0000-step0000006",
    ]


def test_none_is_the_best_until_one_is(tmp_path: Path) -> None:
    save_at(tmp_path, 1)
    assert load_best(tmp_path) is None
    save_at(tmp_path, 2, best=True)
    assert step_of(load_best(tmp_path)) == 2


def test_other_files_in_the_folder_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    save_at(tmp_path, 1)
    assert (tmp_path / "notes.txt").exists()


def test_every_flipped_bit_is_noticed_and_the_state_before_is_given(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save_at(tmp_path, 1)
    save_at(tmp_path, 2)
    newest = state_files(tmp_path)[-1]
    for position in range(0, newest.stat().st_size, 29):
        caplog.clear()
        flip_bit(newest, position)
        assert step_of(load_latest(tmp_path)) == 1
        assert f"Broken: {newest.name} (its checksum is wrong)" in caplog.text
        flip_bit(newest, position)
    assert step_of(load_latest(tmp_path)) == 2


def test_a_missing_newest_state_gives_the_one_before(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_at(tmp_path, 1)
    save_at(tmp_path, 2)
    state_files(tmp_path)[-1].unlink()
    assert step_of(load_latest(tmp_path)) == 1
    assert "No such file" in caplog.text


def test_without_a_valid_state_the_broken_ones_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "checkpoints"
    save_at(folder, 1, best=True)
    save_at(folder, 2)
    for path in state_files(folder):
        flip_bit(path, 100)
    with pytest.raises(CheckpointError) as caught:
        load_latest(folder)
    message = str(caught.value)
    assert all(path.name in message for path in state_files(folder))
    assert f"Delete the run's folder {folder.parent} to start anew." in message
    assert len(message.splitlines()) <= 3
    with pytest.raises(CheckpointError, match=state_files(folder)[0].name):
        load_best(folder)


def test_a_run_that_went_back_keeps_the_state_it_went_back_to(tmp_path: Path) -> None:
    """States 1 and 3 are there, 3 is broken. Then 2 is saved: 1 and 2 are kept, not the broken 3."""
    save_at(tmp_path, 1)
    save_at(tmp_path, 3)
    flip_bit(state_files(tmp_path)[-1], 100)
    save_at(tmp_path, 2)
    flip_bit(state_files(tmp_path)[-1], 100)
    assert step_of(load_latest(tmp_path)) == 1


@pytest.mark.parametrize("num_saved", [0, 1, 3])
def test_a_kill_before_any_file_operation_leaves_a_state_that_loads(
    num_saved: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = num_saved or None, num_saved + 1
    finished, num_operations = False, 0
    while not finished:
        folder = tmp_path / str(num_operations)
        for step in range(1, num_saved + 1):
            save_at(folder, step, best=True)
        with monkeypatch.context() as patch:
            kill_after(num_operations, patch)
            try:
                save_at(folder, after, best=True)
                finished = True
            except Killed:
                num_operations += 1
        assert step_of(load_latest(folder)) in ({after} if finished else {before, after})
        assert step_of(load_best(folder)) == step_of(load_latest(folder))

        save_at(folder, after + 1)
        assert step_of(load_latest(folder)) == after + 1
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        named = {entry["file"] for entry in [*manifest["latest"], manifest["best"]] if entry}
        assert {path.name for path in folder.iterdir()} == {*named, "manifest.json"}
    assert num_operations >= 6


@pytest.mark.parametrize("best", [False, True])
def test_a_kill_while_a_step_is_saved_again_leaves_a_state_that_loads(
    best: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, num_operations = False, 0
    while not finished:
        folder = tmp_path / str(num_operations)
        save(folder, {"attempt": 1}, epoch=1, step=5, best=best)
        with monkeypatch.context() as patch:
            kill_after(num_operations, patch)
            try:
                save(folder, {"attempt": 2}, epoch=1, step=5, best=best)
                finished = True
            except Killed:
                num_operations += 1
        assert load_latest(folder) in ([{"attempt": 2}] if finished else [{"attempt": 1}, {"attempt": 2}])


SAVE_UNTIL_KILLED = """
from itertools import count
import torch
from margin_bench.training.checkpoint import load_latest, save
state = load_latest(folder)
for step in count(state["step"] + 1 if state else 1):
    save(folder, {"step": step, "weight": torch.full((64, 64), step)}, epoch=0, step=step, best=step % 3 == 0)
    saved.value = step
"""


def test_a_process_killed_inside_saves_loses_none_that_was_done(tmp_path: Path) -> None:
    delays = random.Random(0)
    # A server that imports torch once and forks makes each of the processes start in no time.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["margin_bench.training.checkpoint"])
    saved = processes.Value("q", 0, lock=False)  # a lock could be held by the process that is killed
    for _ in range(12):
        done_before = saved.value
        process = processes.Process(target=exec, args=(SAVE_UNTIL_KILLED, {"folder": tmp_path, "saved": saved}))
        process.start()
        while saved.value == done_before:
            assert process.is_alive()
            process.join(0.001)
        process.join(delays.uniform(0, 0.05))
        process.kill()
        process.join()

        state = load_latest(tmp_path)
        assert state is not None
        assert state["step"] >= saved.value > done_before
        assert torch.equal(state["weight"], torch.full((64, 64), state["step"]))
        best = load_best(tmp_path)
        assert best is None or best["step"] == state["step"] // 3 * 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not JSON",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"latest": null, "best": null}',
        b'{"latest": ["epoch1.pt"], "best": null}',
        b'{"latest": [{"file": "epoch1.pt"}], "best": null}',
        b'{"latest": [{"file": "../../x.pt", "sha256": "", "epoch": 1, "step": 1}], "best": null}',
    ],
)
def test_a_foreign_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    for use in (load_latest, load_best, lambda folder: save_at(folder, 1)):
        with pytest.raises(CheckpointError, match=r"manifest\.json"):
            use(tmp_path)


@pytest.mark.parametrize("damage", ["every bit", "cut", "missing"])
def test_a_broken_manifest_is_made_anew_from_whole_files(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for step in range(1, 6):
        save_at(tmp_path, step, best=step == 2)
    manifest = tmp_path / "manifest.json"
    whole = manifest.read_bytes()
    for position in range(0, len(whole), 7 if damage == "every bit" else len(whole)):
        if damage == "every bit":
            flip_bit(manifest, position)
        elif damage == "cut":
            manifest.write_bytes(whole[: len(whole) // 2])
        else:
            manifest.unlink()
        assert step_of(load_latest(tmp_path)) in (4, 5)  # a wrong checksum of the newest leaves the one before
        manifest.write_bytes(whole)
    caplog.clear()
    manifest.write_bytes(b"{")
    assert step_of(load_latest(tmp_path)) == 5
    assert step_of(load_best(tmp_path)) == 2
    assert "it is made anew from 3 checkpoints" in caplog.text
    flip_bit(state_files(tmp_path)[-1], 100)
    assert step_of(load_latest(tmp_path)) == 4
    save_at(tmp_path, 6)
    assert [step_of(load_latest(tmp_path)), step_of(load_best(tmp_path))] == [6, 2]


@pytest.mark.parametrize("content", ["code", "list"])
def test_a_file_that_is_no_state_is_refused_although_its_checksum_is_right(content: str, tmp_path: Path) -> None:
    made = tmp_path / "made by the pickle"
    torch.save({"model": Malicious(made)} if content == "code" else [1, 2], tmp_path / "foreign.pt")
    entry = {"file": "foreign.pt", "sha256": sha256(tmp_path / "foreign.pt"), "epoch": 1, "step": 1}
    (tmp_path / "manifest.json").write_text(json.dumps({"latest": [entry], "best": None}), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"foreign\.pt \("):
        load_latest(tmp_path)
    assert not made.exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").touch()
    with pytest.raises(CheckpointError, match="checkpoints"):
        save_at(tmp_path / "checkpoints", 1)


def test_weights_come_back_and_their_checksum_is_that_of_the_file(tmp_path: Path) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).half()
    checksum = save_weights(tmp_path / "weights.safetensors", model.state_dict())
    weights = load_weights(tmp_path / "weights.safetensors")
    assert checksum == sha256(tmp_path / "weights.safetensors")
    assert weights.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert weights[name].dtype == tensor.dtype
        assert torch.equal(weights[name], tensor)


def test_the_bytes_of_weights_depend_on_the_tensors_alone(tmp_path: Path) -> None:
    weight = torch.arange(120.0).reshape(2, 3, 4, 5)
    plain = save_weights(tmp_path / "plain", {"a": weight, "b": weight.clone()})
    channels_last = weight.to(memory_format=torch.channels_last)
    other = save_weights(tmp_path / "other", {"b": channels_last.requires_grad_(), "a": channels_last})
    assert plain == other


def test_weights_that_share_memory_come_back_under_each_name(tmp_path: Path) -> None:
    weight = torch.arange(12.0).reshape(3, 4)
    save_weights(tmp_path / "weights.safetensors", {"whole": weight, "tied": weight, "row": weight[1]})
    weights = load_weights(tmp_path / "weights.safetensors")
    assert torch.equal(weights["whole"], weight)
    assert torch.equal(weights["tied"], weight)
    assert torch.equal(weights["row"], weight[1])


@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_weights_load_from_a_torch_file(key: str | None, tmp_path: Path) -> None:
    weights = {"weight": torch.ones(3)}
    torch.save({key: weights, "epoch": 3} if key else weights, tmp_path / "weights.pth")
    loaded = load_weights(tmp_path / "weights.pth")
    assert loaded.keys() == {"weight"}
    assert torch.equal(loaded["weight"], torch.ones(3))


def bytes_of(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pth"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><title>404 Not Found</title>",
        safetensors.torch.save({"weight": torch.ones(1000)})[:-1],
        bytes_of({"weight": torch.ones(1000)})[:-500],
        bytes_of([torch.ones(3)]),
        bytes_of({}),
        bytes_of({"weight": torch.ones(3), "epoch": 3}),
        bytes_of({"state_dict": {1: torch.ones(3)}}),
        pickle.dumps({"weight": 1.0}),
    ],
    ids=["empty", "html", "torn", "torn zip", "list", "none", "number", "nameless", "pickle"],
)
def test_a_file_without_weights_is_told(content: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="Expected tensors by name") as caught:
        load_weights(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


def test_missing_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_weights(tmp_path / "weights.pth")


def test_code_in_weights_is_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made by the pickle"
    torch.save({"weight": Malicious(made)}, tmp_path / "weights.pth")
    with pytest.raises(DataError, match="Expected tensors by name"):
        load_weights(tmp_path / "weights.pth")
    assert not made.exists()
