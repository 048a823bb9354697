"""SIGTERM and SIGINT ask for a stop; they do not end the process at once."""

import os
import signal

import pytest

from margin_bench.runtime.signals import held_back, let_through, stop_request, stopped_error


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
