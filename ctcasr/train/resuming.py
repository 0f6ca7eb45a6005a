"""Going on with a run: which settings may have changed since, and what that means."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctcasr import checkpoint
from ctcasr.train.config import RunSettings
from ctcasr.train.folder import RunFolderError, refuse_used
from ctcasr.train.notes import Hashes, manifest_hashes
from ctcasr.train.settings import FORMER, flag_of, to_toml
from ctcasr.train.world import World

# How long, where and how talkative: these count from now on, and nothing is said.
FREE = frozenset(
    {
        "epochs", "budget", "workers", "device", "out", "resume", "auto_resume", "overwrite",
        "init", "valid", "patience", "check_every", "skips", "unreadable", "save_every_s",
        "log_every",
    }
)  # fmt: skip
# What the weights, the optimiser's state and the held-out part are of: other values, another run.
FIXED = frozenset(
    {
        "net", "text", "digits", "strict", "pieces", "pieces_model", "classes", "folds", "pairs",
        "pad", "optimiser", "seed", "dev_share", "video", "prune", "listener",
    }
)  # fmt: skip

SWITCHES = frozenset({"states"})  # may be another weight, but none where there is some is a network


def saved_run(settings: RunSettings, world: World) -> Mapping[str, Any] | None:
    """What last.pt of the folder says, if this run goes on from it; None for a new run.

    Call it before anything is prepared: a tokenizer that was learnt is taken from there. Rank 0 has
    the files, every process must ask.

    Raises:
        RunFolderError: for a new run in a folder that holds one, and for settings that make another
            run of it.
        CheckpointError: where there is nothing to resume.
    """
    payload: Mapping[str, Any] | None = None
    if world.rank == 0:
        payload = _saved_run(settings)
    return world.broadcast_object(payload)


def _saved_run(settings: RunSettings) -> Mapping[str, Any] | None:
    out = Path(settings.out)
    path = out / "last.pt"
    if not settings.resume and not (settings.auto_resume and path.is_file()):
        refuse_used(out, settings.overwrite, settings.auto_resume)
        return None
    payload = checkpoint.load(path)
    notes = payload.get("notes", {})
    manifests = manifest_hashes(settings)
    _refuse_another_run(settings, manifests, notes, path)
    for line in changed_settings(settings, manifests, notes):
        print(f"changed since the run was stopped: {line}")
    return payload


def changed_settings(
    settings: RunSettings, manifests: Hashes, notes: Mapping[str, Any]
) -> list[str]:
    """Settings, and contents of manifests, that changed since, in words; not what is free to."""
    before = FORMER | _settings_of(notes)
    now = tomllib.loads(to_toml(settings))
    lines = []
    for name in before:
        if name in now and name not in FREE and before[name] != now[name]:
            lines.append(f"{flag_of(name)} {before[name]!r} -> {now[name]!r}")
    for setting, hashes in manifests.items():
        known = _contents(setting, notes)
        for name, content in hashes:
            if known and content not in known:
                lines.append(f"the content of {name} ({flag_of(setting)})")
    return lines


def refuse_changed(settings: RunSettings, run: Path) -> None:
    """Whether a run that is done, of which only the score is read, would be the same again.

    Settings that are free to change (but for what is scored) and the names of manifests are aside.

    Raises:
        RunFolderError: with what is another.
        CheckpointError: where the run has no best.pt.
    """
    notes = checkpoint.load(run / "best.pt").get("notes", {})
    before = _settings_of(notes)
    now = tomllib.loads(to_toml(settings))
    manifests = manifest_hashes(settings)
    names = (before.keys() & now.keys() - FREE) | {"valid"}
    changed = []
    for name in sorted(names - manifests.keys()):
        if before.get(name) != now.get(name):
            changed.append(flag_of(name))
    for name, hashes in manifests.items():
        if not _same_contents(hashes, name, notes):
            changed.append(f"{flag_of(name)} (the content of its manifests)")
    if changed:
        raise RunFolderError(
            f"{run}: expected a run with the same settings, whose score can be read; it had other "
            f"{', '.join(changed)}: name another folder, or begin anew with --overwrite"
        )


def _refuse_another_run(
    settings: RunSettings, manifests: Hashes, notes: Mapping[str, Any], path: Path
) -> None:
    """RunFolderError for settings that the weights, or the held-out part, do not fit."""
    before = FORMER | _settings_of(notes)
    now = tomllib.loads(to_toml(settings))
    wrong = []
    for name in sorted((FIXED | SWITCHES) & before.keys() & now.keys()):
        other = before[name] != now[name]
        if name in SWITCHES:
            other = bool(before[name]) != bool(now[name])
        if other:
            wrong.append(f"{flag_of(name)} was {before[name]!r} and is {now[name]!r}")
    if _holds_out(settings):
        wrong += _changed_train(manifests.get("train", []), notes)
    if wrong:
        raise RunFolderError(
            f"{path}: the run in this folder is another one: {'; '.join(wrong)}. Resume with its "
            f"settings (--from {path.with_name('settings.toml')}), or begin anew in another folder"
        )


def _holds_out(settings: RunSettings) -> bool:
    """Whether a part of the train manifest selects."""
    dev_manifest: str = getattr(settings, "dev", "")
    dev_share: float = getattr(settings, "dev_share", 0.0)
    return not dev_manifest and dev_share > 0


def _changed_train(hashes: Sequence[Sequence[str]], notes: Mapping[str, Any]) -> list[str]:
    """Whether another part would be held out: then what was learnt from would select."""
    if not hashes or _same_contents(hashes, "train", notes):
        return []
    names = ", ".join(name for name, _ in hashes)
    return [
        f"what --train names ({names}) has changed, so that another part would be held out (name "
        "it by --dev)"
    ]


def _same_contents(hashes: Sequence[Sequence[str]], setting: str, notes: Mapping[str, Any]) -> bool:
    """Whether the manifests of a setting hold what they held; true where notes do not tell."""
    now = [content for _, content in hashes]
    before = _contents(setting, notes)
    if not before:
        return True
    return set(now) <= set(before) if _is_former(notes) else now == before


def _contents(setting: str, notes: Mapping[str, Any]) -> list[str]:
    """Hashes of the manifests of a setting, in order; of all where notes do not tell whose."""
    manifests = notes.get("manifests", {})
    if _is_former(notes):
        return list(manifests.values())
    return [content for _, content in manifests.get(setting, [])]


def _is_former(notes: Mapping[str, Any]) -> bool:
    """Whether notes tell the hash of each file name, as they did before, not of each setting."""
    return any(isinstance(content, str) for content in notes.get("manifests", {}).values())


def _settings_of(notes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a checkpoint's notes hold; empty where they hold none."""
    try:
        return tomllib.loads(str(notes.get("settings", "")))
    except tomllib.TOMLDecodeError:
        return {}
