"""Logits to hypotheses: greedy, our beam search with words in mind, or flashlight's decoder."""

from __future__ import annotations

import importlib
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

import torch
from torch import Tensor

from ctcasr.ctc import BeamSearch, Decoded, Scorer, greedy, spelled
from ctcasr.seq import Seq
from ctcasr.text import (
    Alphabet,
    Hotwords,
    Lexicon,
    NGram,
    ScorerSum,
    Tokenizer,
    Words,
    fit_vocabulary,
    refuse_unfit,
)

_LN10 = math.log(10.0)
_NEVER = -1e4  # nats: a symbol that a frame made by hand does not say
_SPACE = "_"  # as alphabets show it


class Decoder(Protocol):
    """Logits [B, T, symbols] to hypotheses, best first; a row without any is silence."""

    def __call__(self, logits: Seq) -> list[list[Decoded]]: ...


def decoded_rows(logits: Seq, blank: int, decoder: Decoder | None = None) -> list[list[Decoded]]:
    """Hypotheses of each row of logits [B, T, symbols], best first: greedy, or by a decoder.

    Example:
        >>> logits = torch.eye(3)[[1, 0, 2, 2]]
        >>> decoded_rows(Seq.stack([logits], 25), 0)[0][0].tokens
        (1, 2)
    """
    if decoder is not None:
        return decoder(logits)
    return [[best] for best in greedy(logits.data, logits.lengths, blank)]


def check_width(scores: int, tokenizer: Tokenizer) -> None:
    """ValueError where there is not one score for each symbol.

    Example:
        >>> check_width(40, Alphabet("ab "))
        Traceback (most recent call last):
        ValueError: expected 4 scores a frame, one for each symbol and the blank; got 40: ...
    """
    if scores != tokenizer.size:
        raise ValueError(
            f"expected {tokenizer.size} scores a frame, one for each symbol and the blank; "
            f"got {scores}: is it the tokenizer that the network was trained with?"
        )


@dataclass(frozen=True)
class BeamDecoder:
    """Prefix beam search over a Seq; ValueError for logits of another tokenizer."""

    search: BeamSearch
    tokenizer: Tokenizer

    def __call__(self, logits: Seq) -> list[list[Decoded]]:
        check_width(logits.data.shape[2], self.tokenizer)
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
    """Our beam search with any of: a word n-gram (or its ARPA file), a lexicon, hotwords.

    A hypothesis is worth log p(text | sound) + lm_weight * log p(words) + word_bonus * words
    + hotword_bonus * matched characters, all in nats.
    Raises ValueError for a file that is no ARPA model or whose words the alphabet does not write,
    for hotwords that it cannot write, and for settings of the search out of range.

    Example:
        >>> decoder = beam_decoder(Alphabet("ab "), beam=4, hotwords=["ab"])
        >>> logits = torch.eye(4)[[1, 0, 2, 2]]
        >>> decoder(Seq.stack([logits], 25))[0][0].tokens
        (1, 2)
    """
    _check_finite(lm_weight=lm_weight, word_bonus=word_bonus, hotword_bonus=hotword_bonus)
    model = NGram.read(lm) if isinstance(lm, str | Path) else lm
    if model is not None:
        name = "language model" if isinstance(lm, NGram) else str(lm)
        model = fit_vocabulary(model, tokenizer, name)
    scorers: list[Scorer] = []
    if model is not None or lexicon is not None or word_bonus:
        scorers.append(Words(tokenizer, model, lm_weight, word_bonus, lexicon))
    phrases = list(hotwords)
    if phrases:
        scorers.append(Hotwords(tokenizer, phrases, hotword_bonus))
    scorer = _sum_of(scorers)
    # Several sequences of pieces may spell one text: it is returned once.
    search = BeamSearch(
        tokenizer.blank, beam, nbest, floor, skip_blank, scorer, spelling=tokenizer.decode
    )
    return BeamDecoder(search, tokenizer)


def _check_finite(**weights: float) -> None:
    for name, weight in weights.items():
        if not math.isfinite(weight):
            raise ValueError(f"{name}: expected a finite number; got {weight}")


def _sum_of(scorers: Sequence[Scorer]) -> Scorer | None:
    if not scorers:
        return None
    if len(scorers) == 1:
        return scorers[0]
    return ScorerSum(scorers)


class FlashlightDecoder:
    """torchaudio's ctc_decoder with a lexicon and a KenLM model (extra `lm`).

    It needs flashlight-text, and kenlm for a model. Weights mean what they mean in `beam_decoder`
    (flashlight's own count in log10). Where the alphabet has a space, every word ends with one,
    and the end of the sound counts as one. `bonus` is what flashlight's score, language model
    included, has beside that of the text.
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
        """Raises ImportError that names what to install, UnfitModel for words in another form."""
        if lm is not None:
            refuse_unfit(lm, tokenizer)
        self.tokenizer = tokenizer
        symbols = [tokenizer.symbol(index) for index in range(tokenizer.size)]
        self._space: int | None = None
        if isinstance(tokenizer, Alphabet) and _SPACE in symbols:
            self._space = symbols.index(_SPACE)
        silence = tokenizer.blank if self._space is None else self._space
        lines = list(self._lexicon_lines(lexicon, symbols))
        decoders = _torchaudio_decoders()
        with (
            _named_extra(),
            tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file,
        ):
            ctc_decoder = decoders.ctc_decoder
            file.writelines(lines)
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
                sil_token=symbols[silence],
            )

    def __call__(self, logits: Seq) -> list[list[Decoded]]:
        check_width(logits.data.shape[2], self.tokenizer)
        log_probs = logits.data.detach().float().log_softmax(-1).cpu()
        rows = []
        for row, frames in enumerate(logits.lengths):
            if frames:
                rows.append(self._row(log_probs[row, :frames]))
            else:
                rows.append([Decoded((), (), 0.0)])
        return rows

    def _lexicon_lines(self, lexicon: Lexicon, symbols: Sequence[str]) -> Iterator[str]:
        """Word and spelling, one word a line, as flashlight reads them."""
        for word in sorted(lexicon.words):
            spelling = [symbols[token] for token in self.tokenizer.encode(word)]
            if self._space is not None:
                spelling.append(_SPACE)
            yield f"{word} {' '.join(spelling)}\n"

    def _row(self, log_probs: Tensor) -> list[Decoded]:
        """Hypotheses of log-posteriors [T, symbols]; frames are those of our own alignment."""
        ended = log_probs
        if self._space is not None:
            space = log_probs.new_full((1, log_probs.shape[1]), _NEVER)
            space[0, self._space] = 0.0
            ended = torch.cat([log_probs, space])
        frames = log_probs.double().numpy()
        hypotheses = []
        for theirs in self._decode(ended[None].contiguous())[0]:
            tokens = self.tokenizer.encode(" ".join(theirs.words))
            decoded = spelled(frames, tokens, self.tokenizer.blank)
            if decoded.score > -math.inf:
                added = float(theirs.score) - decoded.score
                hypotheses.append(decoded._replace(bonus=added))
        return hypotheses


def _torchaudio_decoders() -> ModuleType:
    """Torchaudio's decoders; ImportError in one sentence where it does not load."""
    try:
        return importlib.import_module("torchaudio.models.decoder")
    except (ImportError, OSError, RuntimeError) as error:
        raise ImportError(
            "the flashlight decoder needs a torchaudio that loads beside this torch "
            f"({error}): pip install 'ctcasr[lm]', with torch 2.11 if need be, or take the "
            "built-in one"
        ) from error


@contextmanager
def _named_extra() -> Iterator[None]:
    """Turn what torchaudio raises without flashlight or KenLM into a sentence with a remedy."""
    try:
        yield
    except (RuntimeError, ImportError) as error:
        if not isinstance(error, ImportError) and "install" not in str(error):
            raise
        missing = "kenlm" if "KenLM is not installed" in str(error) else "flashlight-text"
        raise ImportError(
            f"the flashlight decoder needs {missing}: pip install 'ctcasr[lm]', "
            "or take the built-in one"
        ) from error
