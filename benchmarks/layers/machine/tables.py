"""The results as tables for the documents."""

from machine.plots import CODECS


def tables(contents):
    """Markdown: least bytes by set and reader, then the matrix of each set."""
    lines = [
        "| set | reader | stored, bytes | "
        + " | ".join(CODECS)
        + " | ours, times fewer than the best peer | points lost in no bytes |",
        "|---" * (len(CODECS) + 5) + "|",
    ]
    for content in contents:
        for each in content["least"]:
            name = each["reader"] + ("" if each["seen in training"] else " (unseen)")
            stored = "made" if each["stored_bytes"] is None else f"{each['stored_bytes']:,.0f}"
            cells = [size_of(each["bytes"].get(codec)) for codec in CODECS]
            times, blind = each.get("times_fewer"), each.get("loss in no bytes")
            blind = "" if blind is None else f"{100 * blind:.1f}"
            lines.append(" | ".join([f"| {each['set']}", name, stored, *cells, figure(times, "{:.2f}"), blind]) + " |")
    for content in contents:
        if content["matrix"] is not None:
            lines += ["", *matrix(content["matrix"])]
    return "\n".join(lines) + "\n"


def matrix(table):
    readers = list(next(iter(table["losses"].values())))
    names = [f"{name} (unseen)" if name in table["unseen"] else name for name in readers]
    lines = [f"| {table['set']}, points lost | bytes | " + " | ".join(names) + " |", "|---" * (len(readers) + 2) + "|"]
    for codec, losses in table["losses"].items():
        cells = [cell(reader, losses.get(reader)) for reader in readers]
        lines.append(f"| {codec} | {next(iter(losses.values()))['bytes']:,.0f} | " + " | ".join(cells) + " |")
    return lines


def cell(reader, found):
    """Points, or decibels: a loss of these is against 58.9 of the picture itself."""
    if found is None:
        return ""
    return f"{58.9 - found['value']:.1f} dB" if reader == "PSNR" else points(found)


def points(found):
    value, half = 100 * found["value"], 50 * (found["high"] - found["low"])
    return f"{value:.1f} ± {half:.1f}"


def size_of(found):
    return "" if found is None else figure(found, "{:,.0f}")


def figure(found, form):
    """Value and interval; a dash where no setting is good enough."""
    if found is None:
        return ""
    parts = ["-" if found[name] is None else form.format(found[name]) for name in ("value", "low", "high")]
    return f"{parts[0]} [{parts[1]}, {parts[2]}]" if found["value"] is not None else "-"
