"""What a stranger is told: cures by the names that torch and the frameworks give to things."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ctcasr.diagnose import Verdict
from ctcasr.watching.care import warn

BLIND_AFTER = 100  # optimiser steps without a loss after which the watch says that it sees nothing

NOT_LOOKED_AT = {"what goes into the network": "samples and features do not pass a loss"}
"""What no hook on a loss can see, told by a verdict as `unmeasured`."""

NOT_LOOKED_AT_BY_HOOK = {
    "voices, sample rates and augmentation": "samples and features were seen as they pass a module"
}
"""The same where a hook sees what goes into a module."""

NOTHING_PASSED_HOOK = {
    "what goes into the network": "no tensor of samples [B, N] or features [B, T, ...] has passed "
    "the module that was given as features="
}
"""And where such a hook saw nothing: the module was not called, or with something else."""

CURES = {
    "zero-infinity-hides-rows": "zero_infinity=True counts rows without an alignment as 0: make "
    "more frames (a smaller stride), or leave these rows out of the batch.",
    "stride-too-large": "More frames for the loss: a smaller stride or hop, larger text units; or "
    "input_lengths are divided once too often.",
    "softmax-as-logits": "torch's ctc_loss takes log_softmax(dim=-1) of the logits, once: "
    "neither softmax nor both; a model of transformers takes it itself.",
    "scores-not-normalised": "Hand in log_probs.log_softmax(dim=-1), over the symbols, taken from "
    "scores [..., C]: torch's ctc_loss does not normalise.",
    "labels-out-of-range": "torch's ctc_loss reads beyond the scores without a word: as many "
    "outputs as symbols and a blank, and true target_lengths where targets are padded with -1.",
    "target-lengths-count-padding": "target_lengths are the numbers of labels of each row, not the "
    "width of the padded tensor (transformers: pad labels with -100).",
    "input-lengths-wrong": "input_lengths are the frames of each row behind the last stride, not "
    "the width of the padded batch (transformers: hand on attention_mask).",
    "batch-of-one": "Larger batches (accumulated gradients do not help BatchNorm), or LayerNorm.",
    "frozen-parameters": "Hand them to your optimiser (optimizer = ...(model.parameters())), or "
    "set requires_grad; ignore this if you freeze them on purpose.",
    "gradient-clipped": "A larger norm: max_norm of clip_grad_norm_ (transformers and SpeechBrain "
    "max_grad_norm, Lightning gradient_clip_val).",
    "learning-rate-zero": "Look at the lr of your optimiser and scheduler: does it count steps or "
    "epochs, and does warm-up end (transformers warmup_steps)?",
    "learning-rate-too-low": "Raise the lr of your optimiser (transformers learning_rate) tenfold.",
    "learning-rate-too-high": "A tenth of the lr of your optimiser (transformers learning_rate), "
    "with warm-up (warmup_steps).",
    "blank-mismatch": "One index for both: `blank` of the loss and that of the decoder "
    "(transformers pad_token_id, SpeechBrain blank_index).",
}
"""By slug; a cause without one keeps the cure that our own runs are told."""

NO_GRADIENT = (
    "an optimiser took a step though no parameter had a gradient: zero_grad() between backward() "
    "and step(), or no backward() at all?"
)

Say = Callable[[str], None]


def say_on_stderr(message: str) -> None:
    """The default way to tell a verdict: a line on stderr."""
    print(f"ctcasr: {message}", file=sys.stderr, flush=True)


def for_a_stranger(verdict: Verdict) -> Verdict:
    """The verdict with cures in torch's words."""
    causes = []
    last_word = list(verdict.last_word)
    for cause in verdict.causes:
        cure = CURES.get(cause.slug, cause.cure)
        causes.append(replace(cause, cure=cure))
        last_word = [sentence.replace(cause.cure, cure) for sentence in last_word]
    return replace(verdict, causes=tuple(causes), last_word=tuple(last_word))


class Teller:
    """Says each verdict once, and once that nothing is seen."""

    def __init__(self, say: Say | None) -> None:
        self.say = say
        self._last_news = ("", "")  # state and first cause
        self._said_blind = False
        self._said_other_head = False

    def tell(self, verdict: Verdict, nats: float) -> None:
        """Say a verdict that is another than the last one; `nats`: loss of an utterance."""
        first = verdict.causes[0] if verdict.causes else None
        news = (verdict.state, first.slug if first else "")
        if self.say is None or news == self._last_news:
            return
        self._last_news = news
        message = f"step {verdict.step}: {verdict.state}, loss {nats:.1f} nats an utterance"
        if first is not None:
            message += f"; {first.slug}: {first.evidence} Cure: {first.cure}"
        self._tell(message)

    def tell_page(self, page: Path | None) -> None:
        """Say where the page is, if there is one."""
        if page is not None:
            self._tell(f"what was seen: {page}")

    def tell_if_blind(self, steps: int, losses: int) -> None:
        """Say that no loss is seen, where that is so after many steps."""
        if self._said_blind or losses or steps < BLIND_AFTER:
            return
        self._said_blind = True
        self._tell(
            f"no CTC loss was computed within {BLIND_AFTER} optimiser steps: the watch sees "
            "torch.ctc_loss and what calls it (nn.CTCLoss, functional.ctc_loss), and ctcasr's "
            "own. A loss of another library, or one inside a compiled graph, is not seen: call "
            "it outside torch.compile, or hand its arguments to torch's"
        )

    def tell_other_head(self, classes: int, blank: int) -> None:
        """Say once that losses of a second head are not looked at."""
        if self._said_other_head:
            return
        self._said_other_head = True
        self._tell(
            f"losses over {classes} symbols with blank {blank} are not looked at: a watch follows "
            "one head, that of the first training loss"
        )

    def tell_no_gradient(self, step: int) -> None:
        """Say that steps are taken without a gradient."""
        self._tell(f"step {step}: {NO_GRADIENT}")

    def _tell(self, message: str) -> None:
        """Say something; one whom that fails is told nothing more."""
        if self.say is None:
            return
        try:
            self.say(message)
        except Exception as error:
            self.say = None
            warn(f"a verdict could not be told, and nothing more is ({error!r}); looking goes on")
