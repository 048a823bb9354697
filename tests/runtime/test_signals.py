"""SIGTERM and SIGINT ask for a stop; they do not end the process at once."""

import os
import signal
import time

import pytest

from margin_bench.errors import EndedBySignal
from margin_bench.runtime import signals
from margin_bench.runtime.signals import ended_by_signals, held_back, let_through, stop_request, stopped_error


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_is_noted_with_its_exit_code(number, exit_code):
    before = signal.getsignal(number)
    with stop_request() as stop:
        assert stop.exit_code == 0
        os.kill(os.getpid(), number)
        assert stop.exit_code == exit_code
    assert signal.getsignal(number) is before


def test_a_signal_that_asks_for_a_requeue_is_handed_on_after_the_block():
    heard = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: heard.append(number))
    try:
        with stop_request() as stop:
            os.kill(os.getpid(), signal.SIGUSR2)
            assert stop.exit_code == 75
            assert heard == []
        assert heard == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_signal_that_asks_for_a_requeue_is_left_alone_where_nothing_would_requeue():
    assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL
    with stop_request():
        assert signal.getsignal(signal.SIGUSR2) == signal.SIG_DFL


def test_the_error_says_where_the_state_is_saved():
    assert str(stopped_error(75, "epoch 2, step 3")).startswith("preempted; the state is saved at epoch 2, step 3")
    assert stopped_error(130, "epoch 2, step 3").exit_code == 130


def test_a_signal_that_is_held_back_comes_after_the_block():
    with stop_request() as stop:
        with held_back():
            signal.raise_signal(signal.SIGTERM)  # to this thread alone, as others do not hold it back
            assert stop.exit_code == 0
        assert stop.exit_code == 75


def test_what_ends_a_run_is_let_through_and_what_requeues_it_is_not():
    with stop_request() as stop, held_back():
        signal.raise_signal(signal.SIGINT)
        let_through()
        assert stop.exit_code == 130
        assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == {signal.SIGUSR1, signal.SIGUSR2}


def receive_and_wait(number):
    """Gets a signal, then waits for what never comes."""
    signal.raise_signal(number)
    time.sleep(60)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGHUP, 75), (signal.SIGINT, 130)])
def test_what_saves_nothing_is_ended_at_once(number, exit_code):
    before = signal.getsignal(number)
    with pytest.raises(EndedBySignal) as ended, ended_by_signals():
        receive_and_wait(number)
    assert ended.value.exit_code == exit_code
    assert signal.getsignal(number) is before


def test_a_hangup_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_interrupt_ends_at_once_and_one_that_is_passed_on_does_not(monkeypatch):
    with stop_request() as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # at the same moment: another process passes it on
        assert not stop.is_urgent
        monkeypatch.setattr(signals, "AGAIN_SECONDS", 0)
        with pytest.raises(EndedBySignal) as ended:
            signal.raise_signal(signal.SIGINT)
    assert ended.value.exit_code == 130
    assert stop.is_urgent


def test_a_wait_that_begins_after_a_signal_is_a_short_one(monkeypatch):
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.1)
    with stop_request() as stop:
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(EndedBySignal), stop.waiting():
            time.sleep(60)
    assert stop.exit_code == 75


def test_a_signal_that_comes_during_a_wait_ends_it_soon(monkeypatch):
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.1)
    with stop_request() as stop, pytest.raises(EndedBySignal), stop.waiting():
        receive_and_wait(signal.SIGTERM)


def test_what_comes_in_time_is_not_given_up(monkeypatch):
    monkeypatch.setattr(signals, "PATIENCE_SECONDS", 0.1)
    with stop_request(timeout=0.1) as stop:
        with stop.waiting():
            signal.raise_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_wait_ends_at_the_timeout():
    with stop_request(timeout=0.1) as stop, pytest.raises(TimeoutError, match=r"0\.1 s"), stop.waiting():
        time.sleep(60)
