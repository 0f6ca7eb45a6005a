"""The CTC loss written down: a float64 lattice in log space, in plain torch.

A row has T frames of scores over C classes and a target of U labels. A *path* names one class per
frame; merging adjacent equal classes and then deleting blanks turns it into a labelling. The loss
is minus the log of the summed probability of all paths that turn into the target (Graves et al.
2006, "Connectionist Temporal Classification").

The paths are those through a lattice of S = 2U + 1 states: blank, y_1, blank, y_2, ..., y_U, blank.
At each frame a path stays, moves to the next state, or skips the blank between two *different*
labels. With e_t(s) the score of the class of state s at frame t,

    alpha_t(s) = e_t(s) + logsumexp( alpha_{t-1}(s), alpha_{t-1}(s-1),
                                     alpha_{t-1}(s-2) if s may be skipped to )
    beta_t(s)  = logsumexp over the successors s' of  beta_{t+1}(s') + e_{t+1}(s')
    ln Z       = logsumexp_s( alpha_t(s) + beta_t(s) )      the same for every t
    loss       = -ln Z
    gamma_t(s) = exp( alpha_t(s) + beta_t(s) - ln Z )       posterior of being in state s at frame t
    G_t(k)     = sum of gamma_t(s) over the states of class k ("occupancy"); sums to 1 over k
    d loss / d score_t(k) = -G_t(k)
    d loss / d logit_t(k) = softmax_t(k) - G_t(k)          behind a log_softmax

A shortest path needs one frame per label and a blank between equal neighbours: no path exists if
T < U + R, with R the number of equal neighbours. A prior subtracts prior_k from every score of
class k, after the softmax (Huang et al. 2024, arXiv 2406.02560).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ctcasr.ctc.batch import CtcBatch, CtcOutput, to_device

NEVER = float("-inf")


def nll(logits: Tensor, ctc_batch: CtcBatch) -> Tensor:
    """Loss of each row [B] in float64, of logits [B, T, C]; autograd differentiates it at will."""
    seen = scores(logits, ctc_batch)
    emissions, skip = lattice(seen, ctc_batch)
    alphas = _alphas(emissions, skip, ctc_batch)
    log_z = _log_z(alphas[-1], ctc_batch)
    # Zero; keeps the graph where there is nothing to differentiate.
    no_frames = emissions[:, :0].sum((1, 2))
    return no_frames - log_z


def forward_backward(logits: Tensor, ctc_batch: CtcBatch, need_grad: bool) -> CtcOutput:
    """Loss, gradient and health of each row, through alpha and beta in float64."""
    with torch.no_grad():
        loss = nll(logits, ctc_batch)
        gamma, health = posterior(logits, ctc_batch)
        grad = None
        if need_grad:
            grad = _gradient(logits, ctc_batch, gamma)
            infeasible = loss.isinf()[:, None]
            dead = frame_padding(logits, ctc_batch) | infeasible
            grad = grad.masked_fill(dead[..., None], 0.0)
    return CtcOutput(loss, grad, health).rounded_for(logits)


def _gradient(logits: Tensor, ctc_batch: CtcBatch, gamma: Tensor) -> Tensor:
    """d loss / d logits [B, T, C] in float64, by posteriors of states [B, T, S]."""
    classes = _state_classes(ctc_batch, logits.device)
    class_of_state = classes[:, None].expand_as(gamma)
    occupancy = torch.zeros(logits.shape, dtype=torch.float64, device=logits.device)
    occupancy.scatter_add_(2, class_of_state, gamma)
    if not ctc_batch.normalize:
        return -occupancy
    softmax = scores(logits, ctc_batch, prior=False).exp()
    return softmax - occupancy


def posterior(logits: Tensor, ctc_batch: CtcBatch) -> tuple[Tensor, Tensor]:
    """State posteriors gamma [B, T, 2U+1], and the spread of their sums over time [B].

    Gamma is zero on padding and on infeasible rows.
    """
    with torch.no_grad():
        seen = scores(logits, ctc_batch)
        emissions, skip = lattice(seen, ctc_batch)
        alphas = _alphas(emissions, skip, ctc_batch)
        betas = _betas(emissions, skip, ctc_batch)
        log_z = _log_z(alphas[-1], ctc_batch)
        if not betas:
            return torch.zeros_like(emissions), torch.zeros_like(log_z)
        alpha = torch.stack(alphas[1:], 1)
        beta = torch.stack(betas, 1)
        log_gamma = alpha + beta - log_z[:, None, None]
        feasible = log_z.isfinite()[:, None]
        live = ~frame_padding(logits, ctc_batch) & feasible
        gamma = log_gamma.exp().masked_fill(~live[..., None], 0.0)
        off_by = (gamma.sum(2) - 1).abs()
        spread = (off_by * live).amax(1)
        return gamma, spread


def scores(logits: Tensor, ctc_batch: CtcBatch, prior: bool = True) -> Tensor:
    """What the lattice sees, float64 [B, T, C]: log-probabilities less the prior; 0 on padding."""
    # Padding is replaced before the softmax: a NaN there reaches neither the loss nor a gradient.
    padding = frame_padding(logits, ctc_batch)
    seen = logits.to(torch.float64).masked_fill(padding[..., None], 0.0)
    if ctc_batch.normalize:
        seen = seen.log_softmax(2)
    if prior and ctc_batch.prior is not None:
        seen = seen - ctc_batch.prior.to(logits.device)
    return seen


def frame_padding(logits: Tensor, ctc_batch: CtcBatch) -> Tensor:
    """True on the frames behind each row's input length [B, T]."""
    lengths = to_device(ctc_batch.input_lengths, logits.device)
    frames = torch.arange(logits.shape[1], device=logits.device)
    return frames >= lengths[:, None]


def _state_classes(ctc_batch: CtcBatch, device: torch.device) -> Tensor:
    """Class of every state [B, S]: blanks in the even places, labels in the odd ones."""
    padded = ctc_batch.padded()
    rows, labels = padded.shape
    states = 2 * labels + 1
    classes = torch.full((rows, states), ctc_batch.blank, dtype=torch.int64)
    classes[:, 1::2] = padded
    return classes.to(device)


def lattice(seen: Tensor, ctc_batch: CtcBatch) -> tuple[Tensor, Tensor]:
    """Scores per state [B, T, S], and where a path may come from two states below [B, S]."""
    classes = _state_classes(ctc_batch, seen.device)
    labels = classes[:, 3::2]  # from the second on
    labels_before = classes[:, 1:-2:2]
    skip = torch.zeros_like(classes, dtype=torch.bool)
    skip[:, 3::2] = labels != labels_before
    frames = seen.shape[1]
    class_of_state = classes[:, None].expand(-1, frames, -1)
    emissions = seen.gather(2, class_of_state)
    return emissions, skip


def _alphas(emissions: Tensor, skip: Tensor, ctc_batch: CtcBatch) -> list[Tensor]:
    """alpha after 0, 1, ..., T frames, each [B, S]; a row keeps its last one through padding."""
    rows, frames, states = emissions.shape
    lengths = to_device(ctc_batch.input_lengths, emissions.device)
    # Before the first frame all mass sits in front of state 0: states 0 and 1 are one move away.
    start = emissions.new_full((rows, states), NEVER)
    alphas = [start]
    for frame in range(frames):
        before = alphas[-1]
        if frame == 0:
            first_two = torch.arange(min(2, states), device=start.device)
            arriving = start.index_fill(1, first_two, 0.0)
        else:
            stepping = _shift_up(before, 1)
            skipping = _shift_up(before, 2).masked_fill(~skip, NEVER)
            arriving = _logsumexp(before, stepping, skipping)
        alpha = arriving + emissions[:, frame]
        running = (frame < lengths)[:, None]
        alphas.append(torch.where(running, alpha, before))
    return alphas


def _betas(emissions: Tensor, skip: Tensor, ctc_batch: CtcBatch) -> list[Tensor]:
    """beta at frames 0, ..., T - 1, each [B, S].

    Through a row's last frame and its padding it is ln 1 on both final states.
    """
    rows, frames, states = emissions.shape
    lengths = to_device(ctc_batch.input_lengths, emissions.device)
    last_blank = _last_blank(ctc_batch, emissions.device)
    last_label = last_blank - 1
    state = torch.arange(states, device=emissions.device)
    ends_path = (state == last_blank) | (state == last_label)
    final = emissions.new_zeros(rows, states).masked_fill(~ends_path, NEVER)
    betas = [final] * frames
    for frame in range(frames - 2, -1, -1):
        after = frame + 1
        staying = betas[after] + emissions[:, after]
        stepping = _shift_down(staying, 1)
        skipping = _shift_down(staying.masked_fill(~skip, NEVER), 2)
        leaving = _logsumexp(staying, stepping, skipping)
        running = (after < lengths)[:, None]
        betas[frame] = torch.where(running, leaving, final)
    return betas


def _log_z(alpha: Tensor, ctc_batch: CtcBatch) -> Tensor:
    """ln Z [B] from the last alpha, where both final states end a path.

    Without a frame only the empty target has a path.
    """
    last_blank = _last_blank(ctc_batch, alpha.device)
    last_label = (last_blank - 1).clamp_min(0)
    no_label = last_blank[:, 0] == 0
    through_blank = alpha.gather(1, last_blank)[:, 0]
    through_label = alpha.gather(1, last_label)[:, 0]
    through_label = through_label.masked_fill(no_label, NEVER)
    log_z = _logsumexp(through_blank, through_label)
    no_frame = to_device(ctc_batch.input_lengths, alpha.device) == 0
    return log_z.masked_fill(no_frame & no_label, 0.0)


def _last_blank(ctc_batch: CtcBatch, device: torch.device) -> Tensor:
    """The number of each row's last state [B, 1]."""
    label_counts = to_device(ctc_batch.target_lengths, device)
    return 2 * label_counts[:, None]


def _shift_up(values: Tensor, places: int) -> Tensor:
    """Move states [B, S] up; what enters below has probability zero."""
    rows, states = values.shape
    places = min(places, states)
    entering = values.new_full((rows, places), NEVER)
    staying = values[:, : states - places]
    return torch.cat([entering, staying], 1)


def _shift_down(values: Tensor, places: int) -> Tensor:
    """Move states [B, S] down; what enters above has probability zero."""
    rows, states = values.shape
    places = min(places, states)
    entering = values.new_full((rows, places), NEVER)
    staying = values[:, places:]
    return torch.cat([staying, entering], 1)


def _logsumexp(*terms: Tensor) -> Tensor:
    """As torch.logsumexp, but with zero derivatives of every order where all terms are -inf."""
    stacked = torch.stack(terms)
    largest = stacked.detach().amax(0)
    largest = largest.masked_fill(largest == NEVER, 0.0)
    total = (stacked - largest).exp().sum(0)
    empty = total == 0
    log_total = total.masked_fill(empty, 1.0).log()
    return (log_total + largest).masked_fill(empty, NEVER)
