"""One step of each kind of RNN and what it does to gradients, LANES units at a time (torch's equations and order of gates)."""

from __future__ import annotations

from ctcasr.net.rnn_lanes import Row, cell, sigmoid, tanh


@cell
def gru_forward(gates: Row, inner: Row, before: Row, out: Row) -> None:
    """Gates r, z, n from what they receive; `inner` is what the recurrent product gives the candidate."""
    r, z = sigmoid(gates.load(0)), sigmoid(gates.load(1))
    n = tanh(r.fma(inner.load(), gates.load(2)))
    gates.store(r, 0)
    gates.store(z, 1)
    gates.store(n, 2)
    out.store(z.fma(before.load() - n, n))


@cell
def gru_backward(
    gates: Row, inner: Row, before: Row, upstream: Row, state: Row, grad: Row, kept: Row
) -> None:
    """Gradients of n, r, z and of `inner`; in `state` what goes to the step before past the recurrent product."""
    r, z, n, h = gates.load(0), gates.load(1), gates.load(2), before.load()
    total = upstream.load() + state.load()
    into = total * (1.0 - z) * (1.0 - n * n)
    grad.store(into, 0)
    grad.store(into * inner.load() * r * (1.0 - r), 1)
    grad.store(total * (h - n) * z * (1.0 - z), 2)
    grad.store(into * r, 3)
    state.store(total * z)
    kept.store(h)


@cell
def lstm_forward(gates: Row, cells: Row, cells_before: Row, out: Row) -> None:
    """Gates i, f, g, o from what they receive, the cell and the output."""
    i, f, g, o = (
        sigmoid(gates.load(0)),
        sigmoid(gates.load(1)),
        tanh(gates.load(2)),
        sigmoid(gates.load(3)),
    )
    c = f.fma(cells_before.load(), i * g)
    for gate, value in enumerate((i, f, g, o)):
        gates.store(value, gate)
    cells.store(c)
    out.store(o * tanh(c))


@cell
def lstm_backward(
    gates: Row,
    cells: Row,
    cells_before: Row,
    before: Row,
    upstream: Row,
    state: Row,
    cell_state: Row,
    grad: Row,
    kept: Row,
) -> None:
    """Gradients of i, f, g, o; `cell_state` carries that of the cell to the step before."""
    i, f, g, o = (gates.load(gate) for gate in range(4))
    total, squashed = upstream.load() + state.load(), tanh(cells.load())
    inside = (total * o).fma(1.0 - squashed * squashed, cell_state.load())
    grad.store(inside * g * i * (1.0 - i), 0)
    grad.store(inside * cells_before.load() * f * (1.0 - f), 1)
    grad.store(inside * i * (1.0 - g * g), 2)
    grad.store(total * squashed * o * (1.0 - o), 3)
    cell_state.store(inside * f)
    state.clear()
    kept.store(before.load())


@cell
def rnn_forward(gates: Row, out: Row) -> None:
    """Tanh of what it receives."""
    out.store(tanh(gates.load()))


@cell
def rnn_backward(out: Row, before: Row, upstream: Row, state: Row, grad: Row, kept: Row) -> None:
    """Gradient of what it received."""
    h = out.load()
    grad.store((upstream.load() + state.load()) * (1.0 - h * h))
    state.clear()
    kept.store(before.load())
