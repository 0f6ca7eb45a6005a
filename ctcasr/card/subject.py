"""What a card is about: a checkpoint or a preset of a recogniser, a classifier or an enhancer, and how to run it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ctcasr import checkpoint
from ctcasr.classify.classifier import Classifier
from ctcasr.classify.model import (
    CLASSIFIERS,
    SoundClassifier,
    build_classifier,
    classifier_from,
    classifier_to,
    describe_classifier,
    read_classifier,
)
from ctcasr.ctc import greedy
from ctcasr.enhance.enhancer import Enhancer
from ctcasr.enhance.model import EnhancerModel, MaskEnhancer, build_enhancer
from ctcasr.enhance.spec import (
    ENHANCERS,
    describe_enhancer,
    enhancer_from,
    enhancer_to,
    read_enhancer,
)
from ctcasr.front import CorpusNorm
from ctcasr.recognise.model import SpeechModel, build
from ctcasr.recognise.recogniser import Recogniser
from ctcasr.recognise.spec import PRESETS, read_spec, spec_from, spec_to
from ctcasr.seq import Seq
from ctcasr.specs import describe
from ctcasr.text import Alphabet
from ctcasr.video.frames import RATE_HZ as VIDEO_HZ

CLASSES = 10  # of a classifier that is only a preset

Stage = tuple[str, Callable[[Any], Any]]


@dataclass(frozen=True)
class Subject:
    """A network with all that its card tells of it."""

    name: str
    kind: str  # "recogniser", "classifier", "enhancer"
    title: str
    model: nn.Module
    rate_hz: int
    spec: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None  # of the checkpoint

    @property
    def clip_s(self) -> float | None:
        """The only length that it takes, in seconds, if there is one."""
        return (
            self.model.samples / self.rate_hz if isinstance(self.model, SoundClassifier) else None
        )

    def clip(self, samples: int, frames: int | None = None) -> tuple[Seq, ...]:
        """Inputs of one clip: noise, and for a network that sees grey frames."""
        draw = torch.Generator().manual_seed(0)
        device = next(self.model.parameters()).device
        audio = Seq.stack([0.1 * torch.randn(samples, generator=draw)], self.rate_hz)
        inputs = [audio]
        if isinstance(self.model, EnhancerModel) and self.model.sees:
            count = -(-samples * VIDEO_HZ // self.rate_hz) if frames is None else frames
            inputs.append(
                Seq.stack(
                    [torch.randint(0, 256, (count, 128, 128), generator=draw, dtype=torch.uint8)],
                    VIDEO_HZ,
                )
            )
        return tuple(one.to(device) for one in inputs)

    def stages(self, clip: tuple[Seq, ...]) -> list[Stage]:
        """What is done to a clip, one after the other; each takes what the one before it gives, the first nothing."""
        model, audio = self.model, clip[0]
        if isinstance(model, SpeechModel):
            return [
                ("features", lambda _: model.front(audio)),
                ("network", model.body),
                ("decoding", lambda logits: greedy(logits.data, logits.lengths, 0)),
            ]
        if isinstance(model, SoundClassifier):
            return [("features", lambda _: model.features(audio)), ("network", model.body)]
        if isinstance(model, MaskEnhancer):

            def analysed(_: Any) -> tuple[Seq, Seq]:
                spectrum = model.analyse(audio)
                return spectrum, model.features(spectrum)

            return [
                ("features", analysed),
                ("network", lambda pair: (pair[0], model.mask(pair[1]))),
                ("synthesis", lambda pair: model.synthesise(pair[0], pair[1], audio)),
            ]
        return [("network", lambda _: model(*clip))]


def find_subject(name: str) -> Subject:
    """The subject called so: the path of a checkpoint, or a preset; ValueError names what there is."""
    path = Path(name)
    if path.is_file() and path.suffix != ".toml":
        return _loaded(path)
    if name in PRESETS:
        spec, size = read_spec(name), Alphabet.english38().size
        return _fitted(
            Subject(
                name,
                "recogniser",
                describe(spec),
                build(spec, size).eval(),
                spec.front.rate_hz,
                spec_to(spec),
            )
        )
    if name in CLASSIFIERS:
        kind = read_classifier(name)
        title, model = (
            f"{describe_classifier(kind)}, {CLASSES} classes",
            build_classifier(kind, CLASSES).eval(),
        )
        return _fitted(
            Subject(name, "classifier", title, model, kind.front.rate_hz, classifier_to(kind))
        )
    if name in ENHANCERS:
        what = read_enhancer(name)
        return _fitted(
            Subject(
                name,
                "enhancer",
                describe_enhancer(what),
                build_enhancer(what).eval(),
                what.rate_hz,
                enhancer_to(what),
            )
        )
    known = [*PRESETS, *CLASSIFIERS, *ENHANCERS]
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"presets: {', '.join(known)}"
    raise ValueError(
        f"expected a checkpoint or a preset; there is neither a file nor a preset {name!r}; {hint}"
    )


def _loaded(path: Path) -> Subject:
    kind = checkpoint.load(path).get("kind")
    if kind == Recogniser.KIND:
        r = Recogniser.load(path)
        return Subject(
            path.name, kind, describe(spec_from(r.spec)), r.model, r.rate_hz, r.spec, r.notes, path
        )
    if kind == Classifier.KIND:
        c = Classifier.load(path)
        return Subject(
            path.name,
            kind,
            describe_classifier(classifier_from(c.spec)),
            c.model,
            c.rate_hz,
            c.spec,
            c.notes,
            path,
        )
    if kind == Enhancer.KIND:
        e = Enhancer.load(path)
        return Subject(
            path.name,
            kind,
            describe_enhancer(enhancer_from(e.spec)),
            e.model,
            e.rate_hz,
            e.spec,
            e.notes,
            path,
        )
    raise checkpoint.CheckpointError(
        f"{path}: expected a recogniser, a classifier or an enhancer; this checkpoint holds: {kind}"
    )


def _fitted(subject: Subject) -> Subject:
    """Statistics that only a corpus can give are taken as zero mean and unit variance: they cost the same."""
    for module in subject.model.modules():
        if isinstance(module, CorpusNorm):
            module.fitted.fill_(True)
    return subject
