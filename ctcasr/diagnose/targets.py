"""Are the targets what the texts say? Plain numbers about a batch and its tokenizer."""

from __future__ import annotations

from ctcasr.batch import Batch
from ctcasr.text import Tokenizer


def target_stats(batch: Batch, tokenizer: Tokenizer) -> dict[str, float]:
    """Shares of rows [B] whose targets are empty, shifted by one, padded, or whose text has characters that cannot be written."""
    count = max(len(batch), 1)
    empty = shifted = padded = wrong = characters = lost = 0
    for utterance, ids in zip(
        batch.utterances, batch.targets.cpu().split(list(batch.target_lengths)), strict=True
    ):
        said, labels = tokenizer.normalise(utterance.text or ""), ids.tolist()
        missing = tokenizer.uncovered(utterance.text or "")
        characters, lost = characters + len(said), lost + sum(missing.values())
        empty += not labels
        if labels and not missing:
            expected = tokenizer.encode(utterance.text or "")
            over = labels[len(expected) :]
            padded += len(over) > 1 and labels[: len(expected)] == expected and len(set(over)) == 1
            if _decoded(tokenizer, labels) != said:
                wrong += 1
                shifted += any(
                    _decoded(tokenizer, [label + by for label in labels]) == said for by in (-1, 1)
                )
    return {
        "empty": empty / count,
        "shifted": shifted / count,
        "padded": padded / count,
        "unlike_text": wrong / count,
        "outside_alphabet": lost / max(characters, 1),
        "labels": sum(batch.target_lengths) / count,
    }


def _decoded(tokenizer: Tokenizer, labels: list[int]) -> str | None:
    if any(not 0 <= label < tokenizer.size or label == tokenizer.blank for label in labels):
        return None
    return tokenizer.decode(labels)
