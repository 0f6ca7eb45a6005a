"""A card as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def markdown(card: Mapping[str, Any]) -> str:
    """The whole card; what is unknown is said to be."""
    blocks = [
        f"# {card['name']}",
        f"{card['kind'].capitalize()}: {card['network']}, {card['rate_hz']} Hz.",
    ]
    if card["team"] or card["contact"]:
        blocks.append(", ".join(str(one) for one in (card["team"], card["contact"]) if one))
    blocks += [
        _size(card),
        _computation(card["computation"]),
        _latency(card["latency"]),
        _memory(card["memory"]),
    ]
    if card["training"]:
        blocks.append(_training(card["training"]))
    else:
        blocks.append("## Training\n\nNo run directory: nothing is known about training.")
    blocks += [
        _table("Hardware", [(key, _plain(value)) for key, value in card["hardware"].items()]),
        _table("Software", [(key, _plain(value)) for key, value in card["software"].items()]),
        "## Known limits\n\n" + "\n".join(f"- {one}" for one in card["limits"]),
    ]
    if card["command"]:
        blocks.append(f"## Command\n\n    {card['command']}")
    return "\n\n".join(blocks) + "\n"


def _size(card: Mapping[str, Any]) -> str:
    size = card["parameters"]
    return _table(
        "Size",
        [
            ("parameters", f"{size['total']:,}"),
            ("trainable", f"{size['trainable']:,}"),
            ("not trainable", f"{size['not_trainable']:,}"),
            ("bytes of parameters", f"{size['bytes']:,}"),
            ("bytes of buffers", f"{size['buffer_bytes']:,}"),
        ],
    )


def _computation(cost: Mapping[str, Any]) -> str:
    seen = f" and {cost['frames']} frames of video" if cost["frames"] is not None else ""
    rows = [
        ("multiply-adds for the clip", f"{cost['macs']:,}"),
        ("FLOPs (= 2 x)", f"{cost['flops']:,}"),
        ("multiply-adds for a second", f"{cost['macs_per_s']:,.0f}"),
        ("FLOPs for a second", f"{cost['flops_per_s']:,.0f}"),
        ("Fourier transforms, not in these", f"{cost['fft_macs']:,}"),
        *((f"- {kind}", f"{macs:,}") for kind, macs in cost["by_type"].items()),
    ]
    text = _table(
        f"Computation ({cost['samples']} samples, {cost['clip_s']:g} s{seen}; rules: {cost['rules']})",
        rows,
    )
    text += f"\n\n{cost['explanation']}"
    if "own_macs" in cost:
        missing = (
            ", ".join(f"{kind} {macs:,}" for kind, macs in cost["left_out"].items()) or "nothing"
        )
        text += f"\n\nOur own rules count {cost['own_macs']:,}; of these the rules above leave out: {missing}."
    if cost["unknown"]:
        names = ", ".join(f"`{place}` ({kind})" for place, kind in cost["unknown"].items())
        text += f"\n\nNot counted, for there is no rule: {names}."
    return text


def _latency(found: Mapping[str, Any]) -> str:
    rows = [
        ("median (p50)", _ms(found["p50_s"])),
        ("95th percentile (p95)", _ms(found["p95_s"])),
        *((f"- {name}", _ms(value)) for name, value in found["parts_p50_s"].items()),
        ("real-time factor", f"{found['real_time_factor']:.4g}"),
    ]
    head = f"Latency ({found['clip_s']:g} s clip, {found['device']}, {found['threads']} thread{'s' if found['threads'] > 1 else ''})"
    return (
        _table(head, rows) + f"\n\n{found['runs']} runs after {found['warm_up_runs']} to warm up. "
        f"Real-time factor: {found['definition']}."
    )


def _memory(found: Mapping[str, Any]) -> str:
    rows = [
        ("process with the network loaded", _mb(found["loaded_bytes"])),
        ("peak, one clip", _mb(found["inference_peak_bytes"])),
        (f"peak, training step on {found['training_batch']}", _mb(found["training_peak_bytes"])),
    ]
    rows += [
        (f"GPU, {name}", _mb(found[f"{name}_gpu_peak_bytes"]))
        for name in ("inference", "training")
        if found[f"{name}_gpu_peak_bytes"] is not None
    ]
    return _table("Memory", rows)


def _training(facts: Mapping[str, Any]) -> str:
    check = facts["steps_check"]
    agrees = {True: "agrees with", False: "differs from", None: "not checked:"}[check["agrees"]]
    steps = f"{facts['steps']:,} ({agrees} {check['formula']}" + (
        f" = {check['expected']:,})" if check["expected"] is not None else ")"
    )
    told = (
        "epochs",
        "seconds_per_epoch",
        "seconds",
        "train_seconds",
        "device",
        "threads",
        "peak_memory_bytes",
        "stopped",
        "resumed",
        "manifest",
    )
    rows = [("steps", steps), *((key.replace("_", " "), _plain(facts[key])) for key in told)]
    rows += [(key, _plain(value)) for key, value in facts["settings"].items()]
    rows += [
        (f"best check: {key}", _plain(value)) for key, value in facts.get("best_check", {}).items()
    ]
    return _table("Training", rows)


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([f"## {title}", "", "| | |", "| --- | --- |", *lines])


def _plain(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(_plain(one) for one in value) or "none"
    return str(value)


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _mb(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:,.1f} MB"
