"""A small world: voices that are tones, noise, and a listener whose errors grow with the noise."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

RATE_HZ = 8000
WORDS = ("one", "two", "three", "four", "five", "six")


def _voice(rng: np.random.Generator) -> np.ndarray:
    times = np.arange(RATE_HZ) / RATE_HZ
    tones = sum(np.sin(2 * np.pi * f * times + rng.uniform(0, 6)) for f in rng.uniform(200, 900, 4))
    return 0.05 * tones * (0.2 + np.sin(2 * np.pi * 3 * times) ** 2)


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., Path]:
    """world(n) writes n scenes, each sentence twice, at -5 to 10 dB, and returns their list."""
    def make(count: int = 24, seed: int = 0) -> Path:
        rng = np.random.default_rng(seed)
        folder = tmp_path / "scenes"
        folder.mkdir(exist_ok=True)
        lines = []
        for i in range(count):
            clean, noise = _voice(rng), rng.normal(size=RATE_HZ)
            snr_db = float(rng.uniform(-5, 10))
            noise *= np.sqrt((clean**2).mean() / (noise**2).mean()) * 10 ** (-snr_db / 20)
            for part, samples in (("mixed", clean + noise), ("target", clean), ("interferer", noise)):
                soundfile.write(folder / f"S{i:03d}_{part}.wav", samples.astype(np.float32), RATE_HZ, subtype="FLOAT")
            lines.append({"audio_filepath": f"S{i:03d}_mixed.wav", "target_filepath": f"S{i:03d}_target.wav",
                          "interferer_filepath": f"S{i:03d}_interferer.wav", "text": " ".join(WORDS), "duration": 1.0,
                          "speaker": f"p{i % 3}", "source": f"sentence{i // 2}", "snr_db": snr_db,
                          "interferer": "noise", "noise": ("rain", "wind")[i % 2],
                          "seen": i % 2 == 0})
        (folder / "SCENES.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return folder / "SCENES.jsonl"

    return make


@pytest.fixture
def enhanced(tmp_path: Path) -> Callable[..., Path]:
    """enhanced(list, part, change) writes `change(samples)` of each scene's part under the mixture's name; None writes no file."""
    def make(scenes: Path, part: str = "mixed", change: Callable[[np.ndarray], Any] = lambda x: x, rate_hz: int = RATE_HZ,
             name: str = "out") -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for path in sorted(scenes.parent.glob(f"*_{part}.wav")):
            samples = change(soundfile.read(path, dtype="float32")[0])
            if samples is not None:
                soundfile.write(folder / path.name.replace(part, "mixed"), samples, rate_hz, subtype="FLOAT")
        return folder

    return make


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """`toy_listener:listen`: a word is lost for each 4 dB by which the quietest tenth of the sound stands out of silence."""
    (tmp_path / "toy_listener.py").write_text(
        "import numpy as np\n"
        f"WORDS = {WORDS!r}\n"
        "def one(x):\n"
        "    frames = x[: len(x) // 80 * 80].reshape(-1, 80)\n"
        "    spectrum = np.sort((np.abs(np.fft.rfft(frames)) ** 2).mean(0))\n"
        "    floor = 10 * np.log10(spectrum[:20].mean() / (spectrum.sum() + 1e-12) + 1e-12)\n"
        "    lost = int(np.clip((floor + 34) / 4, 0, len(WORDS)))\n"
        "    return ' '.join(WORDS[lost:])\n"
        "def listen(sounds, rate_hz):\n"
        "    return [one(np.asarray(x, dtype=np.float64)) for x in sounds]\n"
        "def shouting(sounds, rate_hz):\n"
        "    return [text.upper() + '!' for text in listen(sounds, rate_hz)]\n"
        "shouting.normalise = lambda text: text.lower().replace('!', '')\n"
        "def silent(sounds, rate_hz):\n"
        "    return ['' for _ in sounds]\n"
        "def moody(sounds, rate_hz):\n"
        "    if any(int(1e4 * abs(x).max()) % 2 for x in sounds):\n"
        "        raise RuntimeError('not this one')\n"
        "    return listen(sounds, rate_hz)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "toy_listener", raising=False)
    return "toy_listener:listen"


@pytest.fixture
def score(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """score(list, enhanced, recognisers) runs the protocol without metrics and returns scores.json."""
    from ctcasr.compare import Options, score_enhanced

    def run(scenes: Path, folders: Sequence[Path | str], recognisers: Sequence[Path | str], out: str = "score",
            **options: Any) -> dict[str, Any]:
        given = {"dev_share": 0.0, "draws": 1000, "metrics": False} | options
        score_enhanced(scenes, [str(f) for f in folders], [str(r) for r in recognisers], tmp_path / out, Options(**given))
        found: dict[str, Any] = json.loads((tmp_path / out / "scores.json").read_text(encoding="utf-8"))
        return found

    return run
