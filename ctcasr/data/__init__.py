"""Recordings: manifests, sound files, corpora and the loader that makes batches of them."""

from ctcasr.data.audio import AudioError, AudioInfo, audio_info, read_audio, resample
from ctcasr.data.cache import SampleCache
from ctcasr.data.corpus import Corpus, Item, collate
from ctcasr.data.loader import Loader, WorkerError
from ctcasr.data.manifest import Manifest, ManifestError, read_manifest, write_manifest
from ctcasr.data.plan import plan_batches
from ctcasr.data.split import split_dev
from ctcasr.data.workers import item_seconds, measure_workers

__all__ = [
    "AudioError",
    "AudioInfo",
    "Corpus",
    "Item",
    "Loader",
    "Manifest",
    "ManifestError",
    "SampleCache",
    "WorkerError",
    "audio_info",
    "collate",
    "item_seconds",
    "measure_workers",
    "plan_batches",
    "read_audio",
    "read_manifest",
    "resample",
    "split_dev",
    "write_manifest",
]
