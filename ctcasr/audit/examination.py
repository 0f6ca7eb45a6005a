"""The audit of a manifest from end to end: by a checkpoint, or by recognisers of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ctcasr.audit.crossfit import CrossFitted, Training, cross_fit
from ctcasr.audit.heard import listen, unjudgeable
from ctcasr.audit.result import Audit
from ctcasr.audit.scorer import Spelling
from ctcasr.audit.verdicts import Progress, judge
from ctcasr.batch import Skip
from ctcasr.data import read_manifest
from ctcasr.data.names import where_of
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.records import Record
from ctcasr.text import make_tokenizer
from ctcasr.text.tokenizer import Digits

TellRecord = Callable[[str, Record], None]


def audit_by_training(
    manifest: Path | str,
    training: Training,
    *,
    text: str = "english38",
    digits: Digits = "keep",
    tell: TellRecord = lambda fold, record: None,
    progress: Progress = lambda done, total: None,
) -> Audit:
    """Audit a manifest by recognisers that are trained on its other lines.

    Raises:
        ManifestError: where there is no manifest, or nothing in it.
        ValueError: where there is too little to learn from.
        TrainingError: where a training cannot go on.
    """
    lines = read_manifest(manifest, strict=False)
    tokenizer = make_tokenizer(text, [line.text or "" for line in lines], digits=digits)
    with_text = []
    skipped = []
    for line in lines:
        reason = unjudgeable(line, tokenizer)
        if reason:
            skipped.append(Skip(where_of(line), reason))
        else:
            with_text.append(line)
    if not with_text:
        raise _nothing(str(manifest), [*skipped, *lines.skipped])
    fitted = cross_fit(with_text, tokenizer, training, tell)
    fitted.skipped += [*skipped, *lines.skipped]
    return _judged(str(manifest), fitted, Spelling(tokenizer), progress)


def audit_by_checkpoint(
    manifest: Path | str,
    checkpoint: Path | str,
    *,
    device: str = "cpu",
    progress: Progress = lambda done, total: None,
) -> Audit:
    """Audit a manifest by a recogniser that must not have learnt its lines.

    Raises:
        ManifestError: where there is no manifest, or nothing in it.
        CheckpointError: where the file is no recogniser's.
        ValueError: where no line can be judged.
    """
    lines = read_manifest(manifest, strict=False)
    recogniser = Recogniser.load_checkpoint(checkpoint, device)
    heard, skipped = listen(recogniser, lines.utterances)
    fitted = CrossFitted(heard, [*skipped, *lines.skipped])
    return _judged(str(manifest), fitted, Spelling(recogniser.tokenizer), progress)


def _judged(manifest: str, fitted: CrossFitted, spelling: Spelling, progress: Progress) -> Audit:
    if not fitted.heard:
        raise _nothing(manifest, fitted.skipped)
    judged = judge(fitted.heard, spelling, progress)
    return Audit.of(manifest, judged, fitted.skipped, fitted.dynamics)


def _nothing(manifest: str, skipped: Sequence[Skip]) -> ValueError:
    """Why there is nothing to judge."""
    first = ""
    if skipped:
        first = f"; the first that was left out: {skipped[0].where}: {skipped[0].reason}"
    return ValueError(f"{manifest}: expected lines with sound and text; none can be judged{first}")
