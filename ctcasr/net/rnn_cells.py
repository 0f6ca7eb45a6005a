"""One step of each kind of RNN and of its gradients, LANES units at a time.

The equations and the order of gates are torch's. `before` is the state that the step began with,
`upstream` the gradient of its output from above, `state_grad` that from the step after.
"""

from __future__ import annotations

from ctcasr.net.rnn_lanes import Row, cell, sigmoid, tanh


@cell
def gru_forward(gates: Row, inner: Row, before: Row, out: Row) -> None:
    """Gates r, z, n from what they receive; `inner` is what the state gives the candidate."""
    reset = sigmoid(gates.load(0))
    update = sigmoid(gates.load(1))
    candidate = tanh(reset.fma(inner.load(), gates.load(2)))
    gates.store(reset, 0)
    gates.store(update, 1)
    gates.store(candidate, 2)
    out.store(update.fma(before.load() - candidate, candidate))


@cell
def gru_backward(
    gates: Row,
    inner: Row,
    before: Row,
    upstream: Row,
    state_grad: Row,
    grads: Row,
    states_before: Row,
) -> None:
    """Gradients of n, r, z and of `inner`.

    In `state_grad` stays what goes to the step before past the recurrent product.
    """
    reset = gates.load(0)
    update = gates.load(1)
    candidate = gates.load(2)
    state = before.load()
    total = upstream.load() + state_grad.load()
    into = total * (1.0 - update) * (1.0 - candidate * candidate)
    grads.store(into, 0)
    grads.store(into * inner.load() * reset * (1.0 - reset), 1)
    grads.store(total * (state - candidate) * update * (1.0 - update), 2)
    grads.store(into * reset, 3)
    state_grad.store(total * update)
    states_before.store(state)


@cell
def lstm_forward(gates: Row, cells: Row, cells_before: Row, out: Row) -> None:
    """Gates i, f, g, o from what they receive, the cell and the output."""
    entry = sigmoid(gates.load(0))
    forget = sigmoid(gates.load(1))
    candidate = tanh(gates.load(2))
    output_gate = sigmoid(gates.load(3))
    content = forget.fma(cells_before.load(), entry * candidate)
    gates.store(entry, 0)
    gates.store(forget, 1)
    gates.store(candidate, 2)
    gates.store(output_gate, 3)
    cells.store(content)
    out.store(output_gate * tanh(content))


@cell
def lstm_backward(
    gates: Row,
    cells: Row,
    cells_before: Row,
    before: Row,
    upstream: Row,
    state_grad: Row,
    cell_grad: Row,
    grads: Row,
    states_before: Row,
) -> None:
    """Gradients of i, f, g, o; `cell_grad` carries that of the cell to the step before."""
    entry = gates.load(0)
    forget = gates.load(1)
    candidate = gates.load(2)
    output_gate = gates.load(3)
    total = upstream.load() + state_grad.load()
    squashed = tanh(cells.load())
    content = (total * output_gate).fma(1.0 - squashed * squashed, cell_grad.load())
    grads.store(content * candidate * entry * (1.0 - entry), 0)
    grads.store(content * cells_before.load() * forget * (1.0 - forget), 1)
    grads.store(content * entry * (1.0 - candidate * candidate), 2)
    grads.store(total * squashed * output_gate * (1.0 - output_gate), 3)
    cell_grad.store(content * forget)
    state_grad.clear()
    states_before.store(before.load())


@cell
def rnn_forward(gates: Row, out: Row) -> None:
    """Tanh of what it receives."""
    out.store(tanh(gates.load()))


@cell
def rnn_backward(
    out: Row,
    before: Row,
    upstream: Row,
    state_grad: Row,
    grads: Row,
    states_before: Row,
) -> None:
    """Gradient of what it received."""
    state = out.load()
    total = upstream.load() + state_grad.load()
    grads.store(total * (1.0 - state * state))
    state_grad.clear()
    states_before.store(before.load())
