"""How many frames a second the 3D view paints: ``python -m benchmarks.gui_molecule``.

Without a screen (Qt's offscreen platform), 900 by 700 pixels, water of 1 g/cm³. A frame is new positions and a full repaint: balls and
sticks, and again balls alone, as while something moves where there are more than 4,000 atoms. The best of five is told, in CPU time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QApplication

from gui.core.bonds import find_bonds
from gui.demo.molecules import DemoAtoms, water
from gui.views.molecule.canvas import Canvas
from gui.views.molecule.view import MoleculeView

SIZE = QSize(900, 700)
SIDES = (7, 10, 15, 22)  # molecules along an edge


def main() -> None:
    """Print a table."""
    application = QApplication([])
    print(" atoms   bonds   balls and sticks        balls only            find bonds")
    for side in SIDES:
        measure(water(side))
    application.quit()


def measure(atoms: DemoAtoms) -> None:
    """Print a line about so many atoms."""
    n_bonds = len(find_bonds(atoms.numbers, atoms.positions, atoms.cell).first)
    search = best(lambda: find_bonds(atoms.numbers, atoms.positions, atoms.cell))
    view = MoleculeView()
    view.setAtoms(atoms.numbers, True)
    view.resize(SIZE)
    canvas = Canvas()

    def paint(is_quick: bool) -> None:
        view.setFrame(atoms.positions, atoms.cell)
        picture = view.picture()
        if picture is not None:
            canvas.image(picture, view.camera(), SIZE, 1.0, view.palette(), is_quick)

    full, quick = best(lambda: paint(False)), best(lambda: paint(True))
    print(
        f"{len(atoms.numbers):6d}  {n_bonds:6d}   {full:6.1f} ms {1000 / full:5.0f} /s"
        f"     {quick:6.1f} ms {1000 / quick:5.0f} /s     {search:6.1f} ms"
    )


def best(do: Callable[[], object]) -> float:
    """Return the least CPU time of five calls in ms."""
    times = []
    for _ in range(5):
        begin = time.process_time()
        do()
        times.append(1e3 * (time.process_time() - begin))
    return max(min(times), 1e-3)


if __name__ == "__main__":
    main()
