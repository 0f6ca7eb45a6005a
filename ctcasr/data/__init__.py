"""Recordings: manifests, sound files, corpora and the loader that makes batches of them."""

from ctcasr.data.audio import AudioError, AudioInfo, audio_info, read_audio, resample
from ctcasr.data.cache import SampleCache
from ctcasr.data.clip import Clip, Jitter, fit_length, read_noises, read_sounds
from ctcasr.data.corpus import Corpus, Item, collate
from ctcasr.data.folds import Fold, own_folds, rounds, speaker_folds, word_pairs
from ctcasr.data.joined import JoinedCorpus, repeats_for
from ctcasr.data.labels import (
    LeakError,
    chosen_classes,
    classes_of,
    count_classes,
    find_leaks,
    refuse_leaks,
    source_of,
)
from ctcasr.data.lines import read_lines
from ctcasr.data.loader import Loader, WorkerError
from ctcasr.data.manifest import Manifest, ManifestError, is_manifest, read_manifest, write_manifest
from ctcasr.data.mixing import Mixture, mix, reverberate
from ctcasr.data.mixture import (
    Interferers,
    MixtureCorpus,
    SceneCorpus,
    are_scenes,
    without_classes,
)
from ctcasr.data.plan import plan_batches
from ctcasr.data.provenance import fingerprint, provenance_of
from ctcasr.data.samples import as_samples
from ctcasr.data.split import split_dev, take_minutes
from ctcasr.data.spoken import SpokenCorpus
from ctcasr.data.texts import SentenceTexts, WordTexts
from ctcasr.data.workers import item_seconds, measure_workers

__all__ = [
    "AudioError",
    "AudioInfo",
    "Clip",
    "Corpus",
    "Fold",
    "Interferers",
    "Item",
    "Jitter",
    "JoinedCorpus",
    "LeakError",
    "Loader",
    "Manifest",
    "ManifestError",
    "Mixture",
    "MixtureCorpus",
    "SampleCache",
    "SceneCorpus",
    "SentenceTexts",
    "SpokenCorpus",
    "WordTexts",
    "WorkerError",
    "are_scenes",
    "as_samples",
    "audio_info",
    "chosen_classes",
    "classes_of",
    "collate",
    "count_classes",
    "find_leaks",
    "fingerprint",
    "fit_length",
    "is_manifest",
    "item_seconds",
    "measure_workers",
    "mix",
    "own_folds",
    "plan_batches",
    "provenance_of",
    "read_audio",
    "read_lines",
    "read_manifest",
    "read_noises",
    "read_sounds",
    "refuse_leaks",
    "repeats_for",
    "resample",
    "reverberate",
    "rounds",
    "source_of",
    "speaker_folds",
    "split_dev",
    "take_minutes",
    "without_classes",
    "word_pairs",
    "write_manifest",
]
