"""One run, one owner."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest
from filelock import FileLock

from margin_bench.errors import AlreadyRunningError, CheckpointError, StoppedError
from margin_bench.runtime import lock
from margin_bench.runtime.lock import run_lock, wait_until_free
from margin_bench.runtime.world import World
from tests.helpers.tiny_run import wait_until


def test_a_second_owner_is_refused_until_the_first_is_gone(tmp_path):
    with run_lock(tmp_path / "run", World()), pytest.raises(AlreadyRunningError), run_lock(tmp_path / "run", World()):
        pass
    with run_lock(tmp_path / "run", World()):
        pass


def test_a_start_outlasts_the_moment_for_which_a_waiting_process_holds_the_lock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "MOMENT_SECONDS", 60)
    held = FileLock(tmp_path / ".lock", thread_local=False)
    held.acquire()
    threading.Timer(0.1, held.release).start()
    with run_lock(tmp_path, World()):
        pass


def test_the_lock_goes_with_a_process_that_is_killed(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from margin_bench.runtime.lock import run_lock\n"
        "from margin_bench.runtime.world import World\n"
        "with run_lock(Path(sys.argv[1]), World()): print('mine', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "mine\n"
        with pytest.raises(AlreadyRunningError), run_lock(tmp_path, World()):
            pass
        owner.kill()
    with run_lock(tmp_path, World()):
        pass


def test_a_lock_whose_file_is_deleted_is_held_all_the_same(tmp_path):
    with run_lock(tmp_path, World()):
        (tmp_path / ".lock").unlink()
        with pytest.raises(AlreadyRunningError), run_lock(tmp_path, World()):
            pass
    with run_lock(tmp_path, World()):
        pass


def test_a_file_system_without_locks_of_folders_is_none_the_less_one_to_run_on(tmp_path, monkeypatch):
    flock = fcntl.flock

    def of_files_alone(descriptor, operation):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EBADF, "as NFS says")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", of_files_alone)
    with run_lock(tmp_path, World()), pytest.raises(AlreadyRunningError), run_lock(tmp_path, World()):
        pass


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CheckpointError, match="runs_dir=DIR"), run_lock(tmp_path / "file" / "run", World()):
        pass


def kill_once_it_is_heeded(number, handler):
    """Sends this process a signal as soon as it has another handler for it."""
    wait_until(lambda: signal.getsignal(number) != handler)
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_ends_the_wait_for_another_owner(tmp_path, number, exit_code):
    with run_lock(tmp_path, World()):
        threading.Thread(target=kill_once_it_is_heeded, args=(number, signal.getsignal(number))).start()
        with pytest.raises(StoppedError) as stopped:
            wait_until_free(tmp_path)
    assert stopped.value.exit_code == exit_code
    wait_until_free(tmp_path)
