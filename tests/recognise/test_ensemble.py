"""An ensemble: hypotheses of any member, ranked by the mean of what all of them give a text."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from ctcasr import Ensemble, Recogniser, checkpoint
from ctcasr.cli import main
from ctcasr.decoding.decoder import beam_decoder
from ctcasr.front import FrontSpec
from ctcasr.recognise.ensemble import AtSpeed
from ctcasr.recognise.model import build
from ctcasr.recognise.spec import spec_to
from ctcasr.seq import Seq
from ctcasr.specs import ConvSpec, NetSpec
from ctcasr.text import Alphabet, NGram

RATE = 8000
SPEEDS = (0.9, 1.0, 1.1)


def untrained(seed: int, stride: int = 2, letters: str = "ab ", rate: int = RATE) -> Recogniser:
    """A network that writes a few symbols of nonsense; another `stride` is another clock."""
    torch.manual_seed(seed)
    alphabet = Alphabet(letters)
    spec = NetSpec(
        FrontSpec(rate, bands=20, n_fft=256, hop_s=0.04),
        (ConvSpec(2, (3, 3), (stride, 2)),),
        layers=1,
        hidden=8,
    )
    model = build(spec, alphabet.size)
    with torch.no_grad():
        model.body.head.output.weight.mul_(6.0)
    for _ in range(3):
        model(Seq.stack([noise(1.0, 1), noise(0.7, 2)], rate))
    return Recogniser(model, alphabet, spec_to(spec), {})


def noise(seconds: float, seed: int) -> torch.Tensor:
    return 0.1 * torch.randn(
        max(1, round(seconds * RATE)), generator=torch.Generator().manual_seed(seed)
    )


CLIPS = [noise(0.4, 3), noise(0.25, 4), noise(0.5, 5), noise(0.0, 6)]


@torch.no_grad()
def by_torch(member: Recogniser | AtSpeed, clip: torch.Tensor, tokens: tuple[int, ...]) -> float:
    """log p(tokens | clip) by torch's own loss, in double precision."""
    logits = member.logits(Seq.stack([clip], RATE))
    scores = logits.data[:, : logits.lengths[0]].double().log_softmax(2).transpose(0, 1)
    return -float(
        functional.ctc_loss(
            scores,
            torch.tensor([tokens], dtype=torch.int64).reshape(1, -1),
            logits.lengths,
            (len(tokens),),
            reduction="sum",
        )
    )


def test_one_member_is_the_recogniser() -> None:
    one, decoder = untrained(0), beam_decoder(Alphabet("ab "), 64, nbest=3)
    for a, b in zip(
        one.transcribe(CLIPS, RATE, decoder=decoder),
        Ensemble([one]).transcribe(CLIPS, RATE, decoder=decoder),
        strict=True,
    ):
        assert (a.text, a.words, a.tokens) == (b.text, b.words, b.tokens) and math.isclose(
            a.score, b.score, abs_tol=1e-4
        )
    greedy = [found.text for found in one.transcribe(CLIPS, RATE)]
    assert [found.text for found in Ensemble([one, one]).transcribe(CLIPS, RATE)] == greedy and any(
        greedy
    )


@pytest.mark.parametrize("nbest", [1, 4])
def test_the_score_is_the_mean_over_members_and_the_best_of_all_that_was_found_wins(
    nbest: int,
) -> None:
    members = [untrained(0), untrained(7), untrained(9, stride=1)]
    decoder = beam_decoder(Alphabet("ab "), 256, nbest=nbest, floor=-1e9)
    for clip in CLIPS[:3]:
        ensemble = Ensemble(members)
        (found,) = ensemble.transcribe([clip], RATE, decoder=decoder)
        ones = [member.transcribe([clip], RATE, decoder=decoder)[0] for member in members]
        texts = {one.tokens for best in ones for one in (best, *best.others)}
        mean = {
            tokens: sum(by_torch(member, clip, tokens) for member in members) / 3
            for tokens in texts
        }
        spelled = {ensemble.tokenizer.decode(tokens) for tokens in texts}
        assert {one.text for one in (found, *found.others)} == spelled
        for one in (found, *found.others):
            assert one.score == pytest.approx(mean[one.tokens], abs=1e-3)
        assert mean[found.tokens] == max(mean.values())


@torch.no_grad()
def test_what_a_language_model_adds_counts(tmp_path: Path) -> None:
    file = tmp_path / "lm.arpa"
    file.write_text(
        "\\data\\\nngram 1=6\n\n\\1-grams:\n-0.6\ta\n-0.9\tb\n-0.7\tab\n-2\t<unk>\n-99\t<s>\n"
        "-0.8\t</s>\n\n\\end\\\n",
        encoding="utf-8",
    )
    members, clip = [untrained(0), untrained(7)], CLIPS[0]
    decoder = beam_decoder(
        Alphabet("ab "),
        256,
        nbest=6,
        floor=-1e9,
        lm=NGram.read(file),
        lm_weight=0.7,
        word_bonus=0.3,
    )
    added = {
        one.tokens: one.bonus
        for member in members
        for one in decoder(member.logits(Seq.stack([clip], RATE)))[0]
    }
    mean = {
        tokens: sum(by_torch(member, clip, tokens) for member in members) / 2 for tokens in added
    }
    (found,) = Ensemble(members).transcribe([clip], RATE, decoder=decoder)
    order = [one.text for one in (found, *found.others)]

    def texts_by(worth: dict[tuple[int, ...], float]) -> list[str]:
        ranked = sorted(worth, key=lambda tokens: -worth[tokens])
        return list(dict.fromkeys(Alphabet("ab ").decode(tokens) for tokens in ranked))

    assert order == texts_by({tokens: mean[tokens] + added[tokens] for tokens in added})
    assert order != texts_by(mean)  # or nothing would have been seen


def test_members_of_another_kind_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match="member 1 of the ensemble: expected the alphabet and the sample rate of the first",
    ):
        Ensemble([untrained(0), untrained(0, letters="abc ")])
    with pytest.raises(ValueError, match="16000 Hz"):
        Ensemble([untrained(0), untrained(0, rate=16000)])
    with pytest.raises(ValueError, match="at least one"):
        Ensemble([])
    with pytest.raises(ValueError, match="expected 2 members of each network; got 3"):
        Ensemble([untrained(0)] * 3, speeds=2)
    with pytest.raises(ValueError, match="at least one"):
        Ensemble.at_speeds([untrained(0)], [])


def test_the_command_takes_more_checkpoints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    for seed in (0, 7):
        one = untrained(seed)
        checkpoint.save(
            tmp_path / f"{seed}.pt", Recogniser.payload(one.model, one.spec, one.tokenizer, {})
        )
    soundfile.write(tmp_path / "a.wav", CLIPS[0].numpy(), RATE, subtype="FLOAT")
    flags = [str(tmp_path / "0.pt"), str(tmp_path / "a.wav"), "--ensemble", str(tmp_path / "7.pt")]
    for more in ([], ["--beam", "64"]):
        assert main(["transcribe", *flags, *more]) == 0
        decoder = beam_decoder(Alphabet("ab "), 64, nbest=8) if more else None
        (found,) = Ensemble([untrained(0), untrained(7)]).transcribe(
            CLIPS[0], RATE, decoder=decoder
        )
        assert capsys.readouterr().out.strip() == found.text.strip()


@pytest.mark.parametrize("beam", [None, 16])
def test_each_text_is_told_once_and_without_a_scorer_nothing_is_added(beam: int | None) -> None:
    decoder = None if beam is None else beam_decoder(Alphabet("ab "), beam, nbest=8)
    together = Ensemble.at_speeds([untrained(0), untrained(7)], SPEEDS)
    several = 0
    for found in together.transcribe(CLIPS, RATE, decoder=decoder):
        texts = [one.text for one in (found, *found.others)]
        assert len(texts) == len(set(texts))
        assert all(one.bonus == 0.0 for one in (found, *found.others))
        several += len(texts) > 1
    assert several


def test_words_have_the_times_of_the_member_that_found_them() -> None:
    slow, fast = untrained(0), untrained(9, stride=1)
    assert slow.frame_s == 2 * fast.frame_s
    for clip in CLIPS[:3]:
        (found,) = Ensemble([slow, fast]).transcribe(clip, RATE)
        alone = [member.transcribe(clip, RATE)[0] for member in (slow, fast)]
        times = {one.tokens: one.words for one in reversed(alone)}
        for one in (found, *found.others):
            assert one.words == times[one.tokens]


def test_a_network_at_several_speeds_gives_a_text_their_mean_probability() -> None:
    networks = [untrained(0), untrained(7)]
    for clip in CLIPS[:3]:
        (found,) = Ensemble.at_speeds(networks, SPEEDS).transcribe([clip], RATE)
        for one in (found, *found.others):
            logs = []
            for network in networks:
                at_speeds = [AtSpeed(network, speed) for speed in SPEEDS]
                likelihoods = [math.exp(by_torch(heard, clip, one.tokens)) for heard in at_speeds]
                logs.append(math.log(sum(likelihoods) / len(SPEEDS)))
            assert one.score == pytest.approx(sum(logs) / 2, abs=1e-3)


def test_at_the_speed_of_the_recording_alone_it_is_the_recogniser() -> None:
    one = untrained(0)
    alone = [found.text for found in one.transcribe(CLIPS, RATE)]
    assert [found.text for found in AtSpeed(one, 1.0).transcribe(CLIPS, RATE)] == alone
    assert [found.text for found in Ensemble.at_speeds([one], [1.0]).transcribe(CLIPS, RATE)] == (
        alone
    )


@pytest.mark.parametrize("speed", [0.0, -1.0, 3.0, math.nan])
def test_speeds_that_are_none_are_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"speed: expected a factor within 0\.5\.\.2\.0"):
        AtSpeed(untrained(0), speed)


def test_times_are_those_of_the_recording() -> None:
    assert AtSpeed(untrained(0), 1.25).frame_s == 1.25 * untrained(0).frame_s
    clip = torch.cat([torch.zeros(RATE), noise(0.4, 3)])
    for found in Ensemble.at_speeds([untrained(0)], [0.8, 1.25]).transcribe([clip], RATE):
        assert all(0 <= word.start_s <= word.end_s <= 1.45 for word in found.words)
