"""Reports: one HTML file that holds its pictures, opens anywhere and needs nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path

from nequip_openmm._version import __version__
from nequip_openmm.analysis.statistics import read_thermo, summarise_thermo
from nequip_openmm.runs import atomic_write

__all__ = [
    "Section",
    "dataset_section",
    "errors_section",
    "simulation_section",
    "timings_section",
    "training_section",
    "write_report",
]

Rows = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """One part of a report, in the order of the attributes.

    Attributes
    ----------
    title
        Heading.
    text
        Sentences; an empty line begins a new paragraph.
    table
        Rows of text, the first of them the header; empty for none.
    image
        PNG to embed.
    caption
        What the picture shows.
    code
        Commands to copy.
    """

    title: str
    text: str = ""
    table: Rows = ()
    image: Path | None = None
    caption: str = ""
    code: str = ""


def write_report(
    path: Path | str, title: str, sections: Sequence[Section], *, lead: str = ""
) -> Path:
    """Write a report as one HTML file.

    Parameters
    ----------
    path
        File to write.
    title
        Heading of the whole.
    sections
        Parts, in order.
    lead
        What matters most, in a sentence or two below the heading.
    """
    body = "\n".join(_section(section) for section in sections)
    date = f"{datetime.now():%Y-%m-%d %H:%M}"
    text = _PAGE.format(
        title=escape(title),
        lead=f'<p class="lead">{escape(lead)}</p>' if lead else "",
        body=body,
        footer=escape(f"nequip-openmm {__version__}, {date}"),
        style=_STYLE,
    )
    target = Path(path)
    with atomic_write(target) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return target


# --- sections of a usual report -------------------------------------------------------------------------------------------


def dataset_section(
    name: str, facts: Mapping[str, object], split: Mapping[str, int], source: str = ""
) -> Section:
    """Return a section about the data: facts by name, and how many frames went where."""
    rows = [(key, str(value)) for key, value in facts.items()]
    frames = ", ".join(f"{count} {part}" for part, count in split.items())
    return Section(f"Data: {name}", source, [("property", "value"), *rows, ("frames used", frames)])


def training_section(facts: Mapping[str, object], learning_curves: Path | None = None) -> Section:
    """Return a section about the model and its training."""
    rows = [(key, str(value)) for key, value in facts.items()]
    return Section(
        "Model and training",
        table=[("property", "value"), *rows],
        image=learning_curves,
        caption="Errors over the epochs, of averaged weights on validation frames and of the weights being trained on "
        "training frames. The kept model is that of the best epoch.",
    )


def errors_section(
    errors: Mapping[str, float], n_frames: int, parity: Path | None = None
) -> Section:
    """Return a section about errors on test frames.

    Parameters
    ----------
    errors
        With the keys ``energy_mae_mev_per_atom``, ``energy_rmse_mev_per_atom``, ``forces_mae_mev_per_angstrom``,
        ``forces_rmse_mev_per_angstrom``; those that are missing are left out.
    """
    rows = [
        (what, _number(errors.get(f"{key}_mae_{unit}")), _number(errors.get(f"{key}_rmse_{unit}")))
        for what, key, unit in (
            ("energy (meV/atom)", "energy", "mev_per_atom"),
            ("forces (meV/Å)", "forces", "mev_per_angstrom"),
        )
    ]
    return Section(
        "Errors on frames never trained on",
        f"{n_frames} test frames took no part in training nor in choosing the epoch.",
        [("quantity", "mean absolute error", "root mean square error"), *rows],
        image=parity,
        caption="Predictions against references, and their differences.",
    )


def simulation_section(
    folder: Path, facts: Mapping[str, object], thermo_plot: Path | None = None
) -> Section:
    """Return a section about a simulation: its settings, and averages from its ``thermo.csv``.

    Parameters
    ----------
    folder
        Run folder of the simulation.
    """
    thermo = folder / "thermo.csv"
    summary = summarise_thermo(thermo)
    rows = [(key, str(value)) for key, value in facts.items()]
    if summary is not None:
        rows += [
            (f"mean {name}", f"{mean} ± {error}" if error else mean)
            for name, mean, error in summary.rows()
        ]
    columns = read_thermo(thermo)
    if "max_force_eV_per_A" in columns and len(columns["max_force_eV_per_A"]):
        rows.append(("largest force (eV/Å)", f"{columns['max_force_eV_per_A'].max():.2f}"))
    return Section(
        "Molecular dynamics",
        "Errors of means are standard errors from blocks of independent length; the first fifth of the run is left out.",
        [("property", "value"), *rows],
        image=thermo_plot,
        caption="Samples (thin) and running mean (bold); energies with the lowest potential energy as zero.",
    )


def timings_section(seconds: Mapping[str, float]) -> Section:
    """Return a section with the wall time of every part, in seconds."""
    rows = [(part, f"{value:.1f}") for part, value in seconds.items()]
    total = ("total", f"{sum(seconds.values()):.1f}")
    return Section("Wall time", table=[("part", "seconds"), *rows, total])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


# --- HTML -----------------------------------------------------------------------------------------------------------------


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>"]
    parts += [f"<p>{escape(text)}</p>" for text in section.text.split("\n\n") if text.strip()]
    if section.table:
        parts.append(_table(section.table))
    if section.image is not None:
        parts.append(_figure(section.image, section.caption))
    if section.code:
        parts.append(f"<pre><code>{escape(section.code.strip())}</code></pre>")
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _table(rows: Rows) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in rows[0])
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _figure(image: Path, caption: str) -> str:
    data = base64.b64encode(image.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption or image.stem)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; color: #222; background: #fff;
       max-width: 52rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .6rem; }
.lead { font-size: 1.1rem; color: #444; margin-top: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem 1.6rem .3rem 0; vertical-align: top; border-bottom: 1px solid #e6e6e6; }
th { font-weight: 600; border-bottom: 2px solid #222; }
figure { margin: 1.4rem 0 0; }
img { max-width: 100%; height: auto; }
figcaption { font-size: .88rem; color: #555; margin-top: .3rem; }
pre { background: #f5f5f5; padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; font-size: .88rem; }
footer { margin-top: 3rem; font-size: .85rem; color: #777; }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{lead}
{body}
<footer>{footer}</footer>
</body>
</html>
"""
