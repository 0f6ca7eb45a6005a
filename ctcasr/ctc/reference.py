"""The CTC loss written down: a float64 lattice in log space, in plain torch. This file documents what the loss is.

A row has T frames of scores over C classes and a target of U labels. A *path* names one class per frame; merging
adjacent equal classes and then deleting blanks turns it into a labelling. The loss is minus the log of the summed
probability of all paths that turn into the target (Graves et al. 2006, "Connectionist Temporal Classification").

The paths are those through a lattice of S = 2U + 1 states: blank, y_1, blank, y_2, ..., y_U, blank. At each frame a
path stays, moves to the next state, or skips the blank between two *different* labels. With e_t(s) the score of the
class of state s at frame t,

    alpha_t(s) = e_t(s) + logsumexp( alpha_{t-1}(s), alpha_{t-1}(s-1), alpha_{t-1}(s-2) if s may be skipped to )
    beta_t(s)  = logsumexp over the successors s' of  beta_{t+1}(s') + e_{t+1}(s')
    ln Z       = logsumexp_s( alpha_t(s) + beta_t(s) )      the same for every t
    loss       = -ln Z
    gamma_t(s) = exp( alpha_t(s) + beta_t(s) - ln Z )       posterior of being in state s at frame t
    G_t(k)     = sum of gamma_t(s) over the states of class k ("occupancy"); sums to 1 over k
    d loss / d score_t(k) = -G_t(k), and behind a log_softmax: d loss / d logit_t(k) = softmax_t(k) - G_t(k)

A shortest path needs one frame per label and a blank between equal neighbours: no path exists if T < U + R.
A prior subtracts prior_k from every score of class k, after the softmax (Huang et al. 2024, arXiv 2406.02560).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ctcasr.ctc.problem import CtcBatch, CtcOutput, to_device

NEVER = float("-inf")


def nll(logits: Tensor, problem: CtcBatch) -> Tensor:
    """Loss of each row [B] in float64, of logits [B, T, C]; autograd differentiates it as often as asked."""
    emissions, skip = lattice(scores(logits, problem), problem)
    no_frames = emissions[:, :0].sum(
        (1, 2)
    )  # zero; keeps the graph where there is nothing to differentiate
    return no_frames - _log_z(_forward(emissions, skip, problem)[-1], problem)


def forward_backward(logits: Tensor, problem: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row, through alpha and beta in float64."""
    with torch.no_grad():
        loss = nll(logits, problem)
        gamma, health = posterior(logits, problem)
        grad = None
        if need_grad:
            occupancy = torch.zeros(logits.shape, dtype=torch.float64, device=logits.device)
            occupancy.scatter_add_(
                2, _states(problem, logits.device)[:, None].expand_as(gamma), gamma
            )
            grad = (
                scores(logits, problem, prior=False).exp() - occupancy
                if problem.normalize
                else -occupancy
            )
            dead = frame_padding(logits, problem) | loss.isinf()[:, None]
            grad = grad.masked_fill(dead[..., None], 0.0).to(logits.dtype)
    out = torch.float64 if logits.dtype == torch.float64 else torch.float32
    return CtcOutput(loss.to(out), grad, health.to(torch.float32))


def posterior(logits: Tensor, problem: CtcBatch) -> tuple[Tensor, Tensor]:
    """State posteriors gamma [B, T, 2U+1] (zero on padding and infeasible rows), and the spread of ln Z over t [B]."""
    with torch.no_grad():
        emissions, skip = lattice(scores(logits, problem), problem)
        alphas, betas = _forward(emissions, skip, problem), _backward(emissions, skip, problem)
        joint = torch.stack(alphas[1:], 1) + torch.stack(betas, 1) if betas else emissions
        live = ~frame_padding(logits, problem)
        log_z = _log_z(alphas[-1], problem)
        live &= log_z.isfinite()[:, None]
        gamma = (joint - log_z[:, None, None]).exp().masked_fill(~live[..., None], 0.0)
        return gamma, ((gamma.sum(2) - 1).abs() * live).amax(1) if betas else torch.zeros_like(
            log_z
        )


def scores(logits: Tensor, problem: CtcBatch, prior: bool = True) -> Tensor:
    """What the lattice sees, float64 [B, T, C]: log-probabilities less the prior; 0 stands in for padding."""
    # Padding is replaced before the softmax, so that a NaN there reaches neither the loss nor a gradient.
    clean = logits.to(torch.float64).masked_fill(frame_padding(logits, problem)[..., None], 0.0)
    out = clean.log_softmax(2) if problem.normalize else clean
    return out - problem.prior.to(logits.device) if prior and problem.prior is not None else out


def frame_padding(logits: Tensor, problem: CtcBatch) -> Tensor:
    """True on the frames behind each row's input length [B, T]."""
    lengths = to_device(problem.input_lengths, logits.device)
    return torch.arange(logits.shape[1], device=logits.device) >= lengths[:, None]


def _states(problem: CtcBatch, device: torch.device) -> Tensor:
    """Class of every state [B, S]: blanks in the even places, labels in the odd ones."""
    padded = problem.padded()
    states = torch.full(
        (padded.shape[0], 2 * padded.shape[1] + 1), problem.blank, dtype=torch.int64
    )
    states[:, 1::2] = padded
    return states.to(device)


def lattice(seen: Tensor, problem: CtcBatch) -> tuple[Tensor, Tensor]:
    """Scores per state [B, T, S], and where a path may come from two states below [B, S]."""
    states = _states(problem, seen.device)
    skip = torch.zeros_like(states, dtype=torch.bool)
    skip[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    return seen.gather(2, states[:, None].expand(-1, seen.shape[1], -1)), skip


def _forward(emissions: Tensor, skip: Tensor, problem: CtcBatch) -> list[Tensor]:
    """alpha after 0, 1, ..., T frames, each [B, S]; a row keeps its last one through its padding."""
    batch, frames, states = emissions.shape
    lengths = to_device(problem.input_lengths, emissions.device)
    # Before the first frame all mass sits in front of state 0, from where states 0 and 1 are one move away.
    start = emissions.new_full((batch, states), NEVER)
    alphas = [start]
    for t in range(frames):
        before = alphas[-1]
        if t == 0:
            arrive = start.index_fill(1, torch.arange(min(2, states), device=start.device), 0.0)
        else:
            arrive = _logsumexp(
                before, _shift(before, 1), _shift(before, 2).masked_fill(~skip, NEVER)
            )
        alphas.append(torch.where((t < lengths)[:, None], arrive + emissions[:, t], before))
    return alphas


def _backward(emissions: Tensor, skip: Tensor, problem: CtcBatch) -> list[Tensor]:
    """beta at frames 0, ..., T - 1, each [B, S]; ln 1 on both final states through a row's last frame and padding."""
    batch, frames, states = emissions.shape
    lengths = to_device(problem.input_lengths, emissions.device)
    last = 2 * to_device(problem.target_lengths, emissions.device)[:, None]
    place = torch.arange(states, device=emissions.device)
    final = emissions.new_zeros(batch, states).masked_fill(
        (place != last) & (place != last - 1), NEVER
    )
    betas = [final] * frames
    for t in range(frames - 2, -1, -1):
        after = betas[t + 1] + emissions[:, t + 1]
        reach = _logsumexp(after, _shift(after, -1), _shift(after.masked_fill(~skip, NEVER), -2))
        betas[t] = torch.where((t + 1 < lengths)[:, None], reach, final)
    return betas


def _log_z(alpha: Tensor, problem: CtcBatch) -> Tensor:
    """ln Z [B] from the last alpha: both final states end a path; without a frame only the empty target has one."""
    last = 2 * to_device(problem.target_lengths, alpha.device)[:, None]
    end, before = alpha.gather(1, last)[:, 0], alpha.gather(1, (last - 1).clamp_min(0))[:, 0]
    total = _logsumexp(end, before.masked_fill(last[:, 0] == 0, NEVER))
    no_frame = to_device(problem.input_lengths, alpha.device) == 0
    return total.masked_fill(no_frame & (last[:, 0] == 0), 0.0)


def _shift(values: Tensor, by: int) -> Tensor:
    """Move states up (by > 0) or down; what enters has probability zero."""
    batch, states = values.shape
    fill = values.new_full((batch, min(abs(by), states)), NEVER)
    kept = values[:, : max(states - by, 0)] if by > 0 else values[:, -by:]
    return torch.cat([fill, kept] if by > 0 else [kept, fill], 1)


def _logsumexp(*terms: Tensor) -> Tensor:
    """As torch.logsumexp, but with zero instead of NaN derivatives of every order where all terms are -inf."""
    stacked = torch.stack(terms)
    top = stacked.detach().amax(0)
    top = top.masked_fill(top == NEVER, 0.0)
    total = (stacked - top).exp().sum(0)
    empty = total == 0
    return (total.masked_fill(empty, 1.0).log() + top).masked_fill(empty, NEVER)
