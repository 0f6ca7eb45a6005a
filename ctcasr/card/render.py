"""A card as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Facts = Mapping[str, Any]
Rows = Mapping[str, str]  # name -> value, as they are shown

TRAINING = (
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
AGREES = {True: "agrees with", False: "differs from", None: "not checked:"}
PEAKS = ("inference", "training")


def markdown(card: Facts) -> str:
    """The whole card of `make_card`; what is unknown is said to be."""
    blocks = [
        f"# {card['name']}",
        f"{card['kind'].capitalize()}: {card['network']}, {card['rate_hz']} Hz.",
    ]
    people = [card[name] for name in ("team", "contact") if card[name]]
    if people:
        blocks.append(", ".join(people))
    blocks += [
        _size(card["parameters"]),
        _computation(card["computation"]),
        _latency(card["latency"]),
        _memory(card["memory"]),
    ]
    if card["training"]:
        blocks.append(_training(card["training"]))
    else:
        blocks.append("## Training\n\nNo run directory: nothing is known about training.")
    limits = "\n".join(f"- {sentence}" for sentence in card["limits"])
    blocks += [
        _table("Hardware", _all_plain(card["hardware"])),
        _table("Software", _all_plain(card["software"])),
        f"## Known limits\n\n{limits}",
    ]
    if card["command"]:
        blocks.append(f"## Command\n\n    {card['command']}")
    return "\n\n".join(blocks) + "\n"


def _size(sizes: Facts) -> str:
    rows = {
        "parameters": f"{sizes['total']:,}",
        "trainable": f"{sizes['trainable']:,}",
        "not trainable": f"{sizes['not_trainable']:,}",
        "bytes of parameters": f"{sizes['bytes']:,}",
        "bytes of buffers": f"{sizes['buffer_bytes']:,}",
    }
    return _table("Size", rows)


def _computation(cost: Facts) -> str:
    video = ""
    if cost["frames"] is not None:
        video = f" and {cost['frames']} frames of video"
    rows = {
        "multiply-adds for the clip": f"{cost['macs']:,}",
        "FLOPs (= 2 x)": f"{cost['flops']:,}",
        "multiply-adds for a second": f"{cost['macs_per_s']:,.0f}",
        "FLOPs for a second": f"{cost['flops_per_s']:,.0f}",
        "Fourier transforms, not in these": f"{cost['fft_macs']:,}",
    }
    for kind, macs in cost["by_type"].items():
        rows[f"- {kind}"] = f"{macs:,}"
    title = (
        f"Computation ({cost['samples']} samples, {cost['clip_s']:g} s{video}; "
        f"rules: {cost['rules']})"
    )
    paragraphs = [_table(title, rows), cost["explanation"]]
    if "own_macs" in cost:
        missing = [f"{kind} {macs:,}" for kind, macs in cost["left_out"].items()]
        paragraphs.append(
            f"Our own rules count {cost['own_macs']:,}; of these the rules above leave out: "
            f"{', '.join(missing) or 'nothing'}."
        )
    if cost["unknown"]:
        places = [f"`{place}` ({kind})" for place, kind in cost["unknown"].items()]
        paragraphs.append(f"Not counted, for there is no rule: {', '.join(places)}.")
    return "\n\n".join(paragraphs)


def _latency(timing: Facts) -> str:
    rows = {
        "median (p50)": _milliseconds(timing["p50_s"]),
        "95th percentile (p95)": _milliseconds(timing["p95_s"]),
    }
    for stage, seconds in timing["parts_p50_s"].items():
        rows[f"- {stage}"] = _milliseconds(seconds)
    rows["real-time factor"] = f"{timing['real_time_factor']:.4g}"
    threads = f"{timing['threads']} thread{'s' if timing['threads'] > 1 else ''}"
    title = f"Latency ({timing['clip_s']:g} s clip, {timing['device']}, {threads})"
    return (
        f"{_table(title, rows)}\n\n"
        f"{timing['runs']} runs after {timing['warm_up_runs']} to warm up. "
        f"Real-time factor: {timing['definition']}."
    )


def _memory(sizes: Facts) -> str:
    step = f"peak, training step on {sizes['training_batch']}"
    rows = {
        "process with the network loaded": _megabytes(sizes["loaded_bytes"]),
        "peak, one clip": _megabytes(sizes["inference_peak_bytes"]),
        step: _megabytes(sizes["training_peak_bytes"]),
    }
    for name in PEAKS:
        gpu_bytes = sizes[f"{name}_gpu_peak_bytes"]
        if gpu_bytes is not None:
            rows[f"GPU, {name}"] = _megabytes(gpu_bytes)
    return _table("Memory", rows)


def _training(facts: Facts) -> str:
    check = facts["steps_check"]
    formula = f"{AGREES[check['agrees']]} {check['formula']}"
    if check["expected"] is not None:
        formula += f" = {check['expected']:,}"
    rows = {"steps": f"{facts['steps']:,} ({formula})"}
    for name in TRAINING:
        rows[name.replace("_", " ")] = _plain(facts[name])
    rows.update(_all_plain(facts["settings"]))
    for name, value in facts.get("best_check", {}).items():
        rows[f"best check: {name}"] = _plain(value)
    return _table("Training", rows)


def _table(title: str, rows: Rows) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([f"## {title}", "", "| | |", "| --- | --- |", *lines])


def _all_plain(facts: Facts) -> dict[str, str]:
    return {name: _plain(value) for name, value in facts.items()}


def _plain(value: Any) -> str:
    """A value as people write it."""
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return _joined(value) or "none"
    return str(value)


def _joined(values: Iterable[Any]) -> str:
    return "; ".join(_plain(value) for value in values)


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.2f} ms"


def _megabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 1e6:,.1f} MB"
