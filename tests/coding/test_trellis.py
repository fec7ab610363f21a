import numpy as np
import pytest

from taskcodec.coding.trellis import CODES, Trellis
from taskcodec.errors import CorruptFileError

EACH = pytest.mark.parametrize("states", CODES)


@EACH
def test_two_paths_lead_to_each_state(states):
    """Whatever comes, one of them for each parity or both for one: none is lost, none can be told from another."""
    machine = Trellis(states)
    assert np.bincount(machine.following).tolist() == [2] * states
    pairs = machine.following.reshape(states, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()


@EACH
def test_every_state_is_reached_from_the_first(states):
    machine, seen = Trellis(states), {0}
    for _ in range(states.bit_length()):
        seen |= {int(machine.following[2 * state + parity]) for state in seen for parity in (0, 1)}
    assert len(seen) == states


def test_with_four_states_it_is_the_machine_of_h266():
    """There states 0 and 1 are of the first quantizer, 2 and 3 of the second."""
    name, machine = {0: 0, 2: 1, 1: 2, 3: 3}, Trellis(4)
    for state, pair in {0: (0, 2), 1: (2, 0), 2: (1, 3), 3: (3, 1)}.items():
        own = name[state]
        assert tuple(machine.following[2 * own : 2 * own + 2]) == (name[pair[0]], name[pair[1]])
        assert machine.second(np.array([own], np.uint8))[0] == (state >= 2)


@EACH
def test_a_sample_says_for_itself_which_quantizers_it_uses(states):
    machine, rng = Trellis(states), np.random.default_rng(states)
    symbols = rng.integers(-9, 9, (50, 23)).astype(np.int32)
    whole = machine.along(symbols)
    assert whole[:, 0].tolist() == [0] * 50
    assert 0.3 < whole[:, 10:].mean() < 0.7
    for row in (0, 17, 49):
        state = machine.start(1)
        for j in range(23):
            assert machine.second(state)[0] == whole[row, j]
            state = machine.after(state, symbols[row : row + 1, j])
    assert machine.along(symbols[:0]).shape == (0, 23)


@pytest.mark.parametrize("states", [0, 1, 2, 5, 512])
def test_other_machines_are_refused(states):
    with pytest.raises(CorruptFileError, match=f"a quantizer of {states} states: there are those of 4, 8, 16"):
        Trellis(states)
