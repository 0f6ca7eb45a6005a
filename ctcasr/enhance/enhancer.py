"""Noisy audio in, enhanced audio out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from ctcasr import checkpoint
from ctcasr.batch import Skip, Utterance
from ctcasr.data import AudioError, audio_info, read_audio, resample
from ctcasr.data.provenance import ENHANCED_BY, fingerprint
from ctcasr.enhance.model import EnhancerModel, build_enhancer
from ctcasr.enhance.spec import enhancer_from
from ctcasr.seq import Seq
from ctcasr.video import VideoReader
from ctcasr.video.frames import RATE_HZ as VIDEO_HZ

_SOUNDS = (".wav", ".flac", ".ogg")
_VIDEOS = (".mp4", ".mpg", ".avi", ".mov", ".mkv")


class Enhancer:
    """A trained enhancer; `Enhancer.load(path)` reads any checkpoint of one."""

    KIND = "enhancer"

    def __init__(
        self,
        model: EnhancerModel,
        spec: Mapping[str, Any],
        notes: Mapping[str, Any],
        path: Path | None = None,
    ) -> None:
        self.model, self.spec, self.notes, self.path = model.eval(), spec, notes, path

    @staticmethod
    def payload(
        model: EnhancerModel, spec: Mapping[str, Any], notes: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What a checkpoint holds so that `load` can make the enhancer anew."""
        return {
            "kind": Enhancer.KIND,
            "spec": dict(spec),
            "notes": dict(notes),
            "network": {
                name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()
            },
        }

    @staticmethod
    def load(path: str | Path, device: str | torch.device = "cpu") -> Enhancer:
        """Read a checkpoint; raises CheckpointError where it is not an enhancer's."""
        payload = checkpoint.load_kind(path, Enhancer.KIND)
        model = build_enhancer(enhancer_from(payload["spec"]))
        model.load_state_dict(payload["network"])
        return Enhancer(model.to(device), payload["spec"], payload["notes"], Path(path))

    @property
    def rate_hz(self) -> int:
        """The sample rate inside."""
        return self.model.rate_hz

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @torch.no_grad()
    def enhance(
        self, audio: str | Path | Tensor, rate_hz: int | None = None, video: Tensor | None = None
    ) -> Tensor:
        """Samples [N] of the speech in samples [N] at `rate_hz` (which they need) or in a file: as long, at the same rate.

        `video` are grey frames [T, 128, 128], 25 a second. Channels of a file are averaged. AudioError for a bad file.
        """
        if not isinstance(audio, Tensor):
            rate_hz = audio_info(audio).rate_hz
            audio = read_audio(audio, rate_hz)
        if rate_hz is None:
            raise ValueError(
                "expected rate_hz with samples; a tensor does not know its sample rate"
            )
        if audio.dim() != 1 or audio.numel() == 0 or not bool(torch.isfinite(audio).all()):
            raise ValueError(
                f"expected finite samples [N], one channel, at least one; got {tuple(audio.shape)}"
            )
        samples = Seq.stack([resample(audio.float(), rate_hz, self.rate_hz)], self.rate_hz).to(
            self.device
        )
        seen = (
            None
            if video is None or not self.model.sees
            else Seq.stack([video], VIDEO_HZ).to(self.device)
        )
        out = resample(self.model(samples, seen).data[0].cpu(), self.rate_hz, rate_hz)[
            : audio.shape[0]
        ]
        return torch.nn.functional.pad(out, (0, audio.shape[0] - out.shape[0]))

    @property
    def video(self) -> str:
        """How the network was shown its videos: "fixed", "as_published" or "zeroed"; it is shown them in the same way when it is used."""
        return str(tomllib.loads(str(self.notes.get("settings", ""))).get("video", "fixed"))

    @property
    def name(self) -> dict[str, Any]:
        """Who enhanced: the checkpoint with its fingerprint, the network, and the listener that it was trained with, if any."""
        return {
            "checkpoint": self.path.name if self.path else None,
            "fingerprint": fingerprint(self.path) if self.path else None,
            "network": self.spec["network"],
            "listener": self.notes.get("listener"),
        }


def enhance_files(
    enhancer: Enhancer | Path | str, utterances: Sequence[Utterance], folder: Path
) -> list[Path | Skip]:
    """Enhance utterances, with their video where the network sees, to `folder`/ID.wav; what was written, and what could not be read."""
    return list(
        _enhanced(
            enhancer, [(utterance, folder / f"{utterance.id}.wav") for utterance in utterances]
        )
    )


def enhance_tree(
    enhancer: Enhancer | Path | str, source: Path, out: Path, video: Path | None = None
) -> Iterator[Path | Skip]:
    """Enhance a file to a file, or every sound file below a folder to a folder; yields what was written, and what could not be read.

    `video` is a file, or a folder with videos of the same names.
    """
    if not source.exists():
        raise ValueError(f"{source}: expected a sound file or a folder of them; there is nothing")
    if source.is_dir():
        paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SOUNDS)
        if not paths:
            raise ValueError(
                f"{source}: expected sound files ({', '.join(_SOUNDS)}); the folder has none"
            )
        jobs = [(path, out / path.relative_to(source)) for path in paths]
    else:
        jobs = [(source, out / source.name if out.is_dir() else out)]
    yield from _enhanced(
        enhancer,
        [(Utterance(path, video_filepath=_beside(path, video)), target) for path, target in jobs],
    )


def _enhanced(
    enhancer: Enhancer | Path | str, jobs: Sequence[tuple[Utterance, Path]]
) -> Iterator[Path | Skip]:
    """One after the other; a sidecar in each folder tells that its files were enhanced, and by whom."""
    enhancer = enhancer if isinstance(enhancer, Enhancer) else Enhancer.load(enhancer)
    reader, name = VideoReader(mode=enhancer.video), enhancer.name
    for utterance, target in jobs:
        target = (
            target if target.suffix.lower() in (".wav", ".flac") else target.with_suffix(".wav")
        )
        if target.resolve() == utterance.audio_filepath.resolve():
            raise ValueError(
                f"{target}: expected another place than that of the original; enhanced files never replace it"
            )
        try:
            rate_hz = audio_info(utterance.audio_filepath).rate_hz
            seen = reader(utterance) if enhancer.model.sees else None
            samples = enhancer.enhance(read_audio(utterance, rate_hz), rate_hz, seen)
        except AudioError as error:
            yield Skip(utterance.where or str(utterance.audio_filepath), str(error))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        _sign(target, name)
        # Nothing is clipped: WAV holds floats; FLAC holds none, and is made softer where it must.
        flac = target.suffix.lower() == ".flac"
        samples = samples / max(1.0, float(samples.abs().max()) / 0.999) if flac else samples
        soundfile.write(target, samples.numpy(), rate_hz, subtype="PCM_24" if flac else "FLOAT")
        yield target


def _beside(path: Path, video: Path | None) -> Path | None:
    """The video of a sound file: the one given, or that of the same name in the folder given."""
    if video is None or video.is_file():
        return video
    return next((p for suffix in _VIDEOS if (p := video / f"{path.stem}{suffix}").is_file()), None)


def _sign(target: Path, name: Mapping[str, Any]) -> None:
    """Say in the folder's sidecar who made its files, before there is one that might be taken for a recording."""
    path = target.parent / ENHANCED_BY
    signed = json.dumps(dict(name), indent=1) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != signed:
        path.write_text(signed, encoding="utf-8")
