"""Nothing is compiled after the first epoch, the step and the evaluation each once: at full width one takes minutes."""

import dataclasses

import jax
import numpy as np
import pytest
from training_cases import OPTIONS, linear, prepare, start, subject, toy

from wsns.training import batching, loop, losses
from wsns.training import step as steps


@pytest.fixture
def compiled():
    """The names of what is compiled from here on."""
    names = []

    def note(event, _, **about):
        if event.endswith("backend_compile_duration"):
            names.append(about.get("fun_name"))

    jax.monitoring.register_event_duration_secs_listener(note)
    yield names
    jax.monitoring.unregister_event_duration_listener(note)


def counted(monkeypatch, compiled, name, seen):
    """Has each call of what `steps.NAME` makes add the number of compilations during it to `seen`."""
    make = getattr(steps, name)

    def made(*args, **how):
        function = make(*args, **how)

        def call(*given):
            before = len(compiled)
            result = function(*given)
            seen.append(len(compiled) - before)
            return result

        return call

    monkeypatch.setattr(steps, name, made)


@pytest.mark.parametrize("resident", [True, False])
def test_a_run_compiles_each_step_once_and_a_resumed_one_no_more(tmp_path, monkeypatch, compiled, resident):
    """Ten slices in batches of four, the last one short, checked in batches of two."""
    trained, checked, at_epochs = [], [], []
    counted(monkeypatch, compiled, "make_train_step", trained)
    counted(monkeypatch, compiled, "make_eval_step", checked)
    watched = loop.Watch.epoch

    def epoch(*given):
        watched(*given)
        at_epochs.append(len(compiled))

    monkeypatch.setattr(loop.Watch, "epoch", epoch)
    options = dataclasses.replace(OPTIONS, portions=2, shift=1, resident=resident)
    for epochs in (3, 5):
        examples = batching.InMemory(toy())
        loop.fit(subject(), examples, examples, dataclasses.replace(options, epochs=epochs), tmp_path)
    assert trained == [1] + 8 * [0] + [1] + 5 * [0]
    assert checked == [1] + 14 * [0] + [1] + 9 * [0]
    assert at_epochs[0] == at_epochs[2]
    assert at_epochs[3] == at_epochs[4]


def test_a_step_after_step_compiles_once(compiled):
    """As the benchmarks take them."""
    optimiser = losses.sgd(1.0, 0.99, 3, 0.9, 0.1, ())
    step = steps.make_train_step(losses.classification(linear, prepare), optimiser)
    data = batching.Feed(batching.InMemory(toy(4)), 4, resident=True)
    (batch,) = data.batches(np.arange(4))
    state = steps.place(steps.init_state(start(), optimiser), 1)
    before = len(compiled)
    for _ in range(3):
        state, _ = step(state, batch, data.data)
    assert len(compiled) - before == 1
