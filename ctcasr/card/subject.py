"""What a card is about, and how to run it.

A checkpoint or a preset of a recogniser, a classifier or an enhancer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from ctcasr.text.spelling import did_you_mean
from ctcasr.video import LipFront
from ctcasr.video.frames import RATE_HZ as VIDEO_HZ

RECOGNISER = Recogniser.KIND
CLASSIFIER = Classifier.KIND
ENHANCER = Enhancer.KIND

PRESET_CLASSES = 10  # of a classifier that is only a preset
NOISE_LEVEL = 0.1  # standard deviation of the samples of a clip
FACE = (128, 128)  # pixels of a grey frame

Stage = tuple[str, Callable[[Any], Any]]  # its name, and what it makes of the stage before


@dataclass(frozen=True)
class Subject:
    """A network with all that its card tells of it."""

    name: str
    kind: str  # RECOGNISER, CLASSIFIER, ENHANCER
    title: str
    model: nn.Module
    rate_hz: int
    spec: Mapping[str, Any]
    notes: Mapping[str, Any] = field(default_factory=dict)
    path: Path | None = None  # of the checkpoint

    @property
    def clip_s(self) -> float | None:
        """The only length that it takes, in seconds, if there is one."""
        if isinstance(self.model, SoundClassifier):
            return self.model.samples / self.rate_hz
        return None

    @property
    def sees_frames(self) -> bool:
        """Whether it takes frames of video beside sound."""
        return isinstance(self.model, EnhancerModel) and bool(self.model.sees)

    def clip(self, samples: int, frames: int | None = None) -> tuple[Seq, ...]:
        """Inputs of one clip: noise [1, N], and for a network that sees frames [1, T, H, W] too.

        Of a lip reader `samples` are frames, which it sees alone.
        """
        random = torch.Generator().manual_seed(0)
        device = next(self.model.parameters()).device
        if isinstance(self.model, SpeechModel) and isinstance(self.model.front, LipFront):
            shape = (samples, *self.model.front.size)
            pixels = torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
            return (Seq.stack([pixels], VIDEO_HZ).to(device),)
        noise = NOISE_LEVEL * torch.randn(samples, generator=random)
        audio = Seq.stack([noise], self.rate_hz).to(device)
        if not self.sees_frames:
            return (audio,)
        if frames is None:
            frames = -(-samples * VIDEO_HZ // self.rate_hz)
        pictures = enhancer_from(self.spec).pictures
        size = FACE if pictures is None else pictures.shape
        pixels = torch.randint(0, 256, (frames, *size), generator=random, dtype=torch.uint8)
        return audio, Seq.stack([pixels], VIDEO_HZ).to(device)

    def stages(self, clip: tuple[Seq, ...]) -> list[Stage]:
        """What is done to a clip, one after the other.

        Each takes what the one before it gives, the first nothing.
        """
        model = self.model
        audio = clip[0]
        if isinstance(model, SpeechModel):
            return [
                ("features", lambda _: model.front(audio)),
                ("network", model.body),
                ("decoding", lambda logits: greedy(logits.data, logits.lengths, 0)),
            ]
        if isinstance(model, SoundClassifier):
            return [("features", lambda _: model.features(audio)), ("network", model.body)]
        if isinstance(model, MaskEnhancer):
            return _mask_stages(model, *clip)
        return [("network", lambda _: model(*clip))]


def _mask_stages(model: MaskEnhancer, audio: Seq, video: Seq | None = None) -> list[Stage]:
    def analyse(_: Any) -> tuple[Seq, Seq]:
        spectrum = model.analyse(audio)
        return spectrum, model.beside(model.features(spectrum), video)

    def mask(analysed: tuple[Seq, Seq]) -> tuple[Seq, Seq]:
        spectrum, features = analysed
        return spectrum, model.mask(features)

    def synthesise(masked: tuple[Seq, Seq]) -> Seq:
        return model.synthesise(*masked, audio)

    return [("features", analyse), ("network", mask), ("synthesis", synthesise)]


def find_subject(name: str) -> Subject:
    """The subject called so: a checkpoint, or a preset or TOML file, perhaps with words behind it.

    Raises:
        ValueError: where there is neither; it names the nearest preset.
        CheckpointError: for a checkpoint of something else.

    Example:
        >>> find_subject("kws_cnn").kind
        'classifier'
        >>> find_subject("default layers=1 hidden=8").spec["hidden"]
        8
    """
    path = Path(name)
    if path.suffix == ".toml" or ".toml " in name:
        return _with_plain_statistics(_subject_of_toml(name))
    if path.is_file():
        return replace(_loaded(path), name=path.name, path=path)
    preset = name.partition(" ")[0]
    if preset in PRESETS:
        return _with_plain_statistics(_recogniser_preset(name))
    if preset in CLASSIFIERS:
        return _with_plain_statistics(_classifier_preset(name))
    if preset in ENHANCERS:
        return _with_plain_statistics(_enhancer_preset(name))
    if path.is_dir() or path.suffix == ".pt":
        return _loaded(path)  # which says what is there instead
    presets = [*PRESETS, *CLASSIFIERS, *ENHANCERS]
    hint = did_you_mean(preset, presets) or f"; presets: {', '.join(presets)}"
    raise ValueError(
        f"expected a checkpoint or a preset; there is neither a file nor a preset {name!r}{hint}"
    )


def _subject_of_toml(name: str) -> Subject:
    """The network of whichever kind that a file's fields describe."""
    reasons = {}
    for kind, make in (
        (RECOGNISER, _recogniser_preset),
        (CLASSIFIER, _classifier_preset),
        (ENHANCER, _enhancer_preset),
    ):
        try:
            return make(name)
        except ValueError as error:
            reasons[kind] = str(error)
    if len(set(reasons.values())) == 1:  # it is no TOML
        raise ValueError(reasons[RECOGNISER])
    raise ValueError("; ".join(f"no {kind}: {reason}" for kind, reason in reasons.items()))


def _recogniser_preset(name: str) -> Subject:
    spec = read_spec(name)
    model = build(spec, Alphabet.english38().size).eval()
    return Subject(name, RECOGNISER, describe(spec), model, spec.front.rate_hz, spec_to(spec))


def _classifier_preset(name: str) -> Subject:
    spec = read_classifier(name)
    title = f"{describe_classifier(spec)}, {PRESET_CLASSES} classes"
    model = build_classifier(spec, PRESET_CLASSES).eval()
    return Subject(name, CLASSIFIER, title, model, spec.front.rate_hz, classifier_to(spec))


def _enhancer_preset(name: str) -> Subject:
    spec = read_enhancer(name)
    model = build_enhancer(spec).eval()
    return Subject(name, ENHANCER, describe_enhancer(spec), model, spec.rate_hz, enhancer_to(spec))


def _loaded(path: Path) -> Subject:
    """What a checkpoint holds; CheckpointError where that has no card."""
    kind = checkpoint.load(path).get("kind")
    loaded: Recogniser | Classifier | Enhancer
    if kind == RECOGNISER:
        loaded = Recogniser.load_checkpoint(path)
        title = describe(spec_from(loaded.spec))
    elif kind == CLASSIFIER:
        loaded = Classifier.load(path)
        title = describe_classifier(classifier_from(loaded.spec))
    elif kind == ENHANCER:
        loaded = Enhancer.load(path)
        title = describe_enhancer(enhancer_from(loaded.spec))
    else:
        raise checkpoint.CheckpointError(
            f"{path}: expected a recogniser, a classifier or an enhancer; this checkpoint holds: "
            f"{kind}"
        )
    return Subject(
        path.name, kind, title, loaded.model, loaded.rate_hz, loaded.spec, loaded.notes, path
    )


def _with_plain_statistics(subject: Subject) -> Subject:
    """Statistics that only a corpus gives are zero mean and unit variance: they cost the same."""
    for module in subject.model.modules():
        if isinstance(module, CorpusNorm):
            module.fitted.fill_(True)
    return subject
