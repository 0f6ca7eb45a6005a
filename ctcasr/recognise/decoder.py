"""Logits to hypotheses, other than greedy: our own beam search with words in mind, and the field's flashlight decoder."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from ctcasr.ctc import BeamSearch, Decoded, spelled
from ctcasr.seq import Seq
from ctcasr.text import Alphabet, Hotwords, Lexicon, NGram, ScorerSum, Tokenizer, Words

_LN10 = math.log(10.0)


class Decoder(Protocol):
    """Logits [B, T, symbols] to the hypotheses of each row, best first; a row without any is written as silence."""

    def __call__(self, logits: Seq) -> list[list[Decoded]]: ...


@dataclass(frozen=True)
class BeamDecoder:
    """Prefix beam search over a Seq."""

    search: BeamSearch

    def __call__(self, logits: Seq) -> list[list[Decoded]]:
        return self.search(logits.data, logits.lengths)


def beam_decoder(
    tokenizer: Tokenizer,
    beam: int = 16,
    *,
    lm: NGram | str | Path | None = None,
    lm_weight: float = 0.5,
    word_bonus: float = 0.0,
    lexicon: Lexicon | None = None,
    hotwords: Iterable[str] = (),
    hotword_bonus: float = 1.0,
    nbest: int = 1,
    floor: float = -10.0,
    skip_blank: float = 2.0,
) -> BeamDecoder:
    """Our beam search with any of: a word n-gram (or its ARPA file), a lexicon, hotwords. Weights multiply nats; bonuses are nats.

    A hypothesis is worth log p(text | sound) + lm_weight * log p(words) + word_bonus * words + hotword_bonus * matched characters.
    """
    model = lm if isinstance(lm, NGram) or lm is None else NGram.read(lm)
    scorers: list[Any] = []
    if model is not None or lexicon is not None or word_bonus:
        scorers.append(Words(tokenizer, model, lm_weight, word_bonus, lexicon))
    if phrases := list(hotwords):
        scorers.append(Hotwords(tokenizer, phrases, hotword_bonus))
    scorer = None if not scorers else scorers[0] if len(scorers) == 1 else ScorerSum(scorers)
    return BeamDecoder(BeamSearch(tokenizer.blank, beam, nbest, floor, skip_blank, scorer))


class FlashlightDecoder:
    """torchaudio's ctc_decoder with a lexicon and a KenLM model; needs flashlight-text, and kenlm for a model (extra `lm`).

    Weights mean what they mean in `beam_decoder` (flashlight's own count in log10). Where the alphabet has a space, every word
    ends with one, and the end of the sound counts as one. `score` is flashlight's, language model included.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        lexicon: Lexicon,
        beam: int = 16,
        *,
        lm: str | Path | None = None,
        lm_weight: float = 0.5,
        word_bonus: float = 0.0,
        nbest: int = 1,
    ) -> None:
        self.tokenizer = tokenizer
        symbols = [tokenizer.symbol(index) for index in range(tokenizer.size)]
        self._space = (
            symbols.index("_") if isinstance(tokenizer, Alphabet) and "_" in symbols else None
        )
        end = "" if self._space is None else " _"
        try:
            from torchaudio.models.decoder import ctc_decoder

            with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
                for word in sorted(lexicon.words):
                    file.write(
                        f"{word} {' '.join(symbols[token] for token in tokenizer.encode(word))}{end}\n"
                    )
                file.flush()
                self._decode = ctc_decoder(
                    file.name,
                    symbols,
                    None if lm is None else str(lm),
                    nbest=nbest,
                    beam_size=beam,
                    lm_weight=lm_weight * _LN10,
                    word_score=word_bonus,
                    log_add=True,
                    blank_token=symbols[tokenizer.blank],
                    sil_token=symbols[tokenizer.blank if self._space is None else self._space],
                )
        except (RuntimeError, ImportError) as error:
            missing = "kenlm" if "KenLM is not installed" in str(error) else "flashlight-text"
            if isinstance(error, ImportError) or "install" in str(error):
                raise ImportError(
                    f"the flashlight decoder needs {missing}: pip install 'ctcasr[lm]', or take the built-in one"
                ) from error
            raise

    def __call__(self, logits: Seq) -> list[list[Decoded]]:
        log_probs = logits.data.detach().float().log_softmax(-1).cpu()
        return [
            self._row(log_probs[row, :time]) if time else [Decoded((), (), 0.0)]
            for row, time in enumerate(logits.lengths)
        ]

    def _row(self, log_probs: Any) -> list[Decoded]:
        rows, out = log_probs.double().numpy(), []
        if self._space is not None:
            last = log_probs.new_full((1, log_probs.shape[1]), -1e4)
            last[0, self._space] = 0.0
            log_probs = torch.cat([log_probs, last])
        for found in self._decode(log_probs[None].contiguous())[0]:
            one = spelled(rows, self.tokenizer.encode(" ".join(found.words)), self.tokenizer.blank)
            if one.score > -math.inf:
                out.append(one._replace(score=float(found.score)))
        return out
