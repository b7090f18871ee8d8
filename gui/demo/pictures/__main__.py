"""Draws pictures of the window: ``python -m gui.demo.pictures FOLDER [NAME...]``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from gui.demo.pictures.drawing import SCENES, draw, file_name
from gui.demo.pictures.gallery import LOOKS, gallery

GALLERY = Path("docs/gui/states.md")


def main() -> None:
    """Draw all scenes, those that are named, or those whose pictures are in the folder already."""
    parser = argparse.ArgumentParser(prog="python -m gui.demo.pictures", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("docs/images/gui"))
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenes; all if none is named")
    parser.add_argument("--look", choices=("light", "dark", "both"), default="both")
    parser.add_argument("--update", action="store_true", help="draw what is in FOLDER anew")
    parser.add_argument("--list", action="store_true", help="print the names of all scenes")
    parser.add_argument(
        "--gallery",
        action="store_true",
        help="write docs/gui/states.md too, which shows all scenes",
    )
    options = parser.parse_args()
    if options.list:
        sys.stdout.write("\n".join([*SCENES, ""]))
        return
    unknown = sorted(set(options.names) - set(SCENES))
    if unknown:
        parser.error(f"no such scene: {', '.join(unknown)}; --list has their names")
    for name in options.names or SCENES:
        looks = [look for look in LOOKS if options.look in (look, "both")]
        if options.update:
            looks = [look for look in looks if (options.folder / file_name(name, look)).exists()]
        for path in draw([name], options.folder, looks) if looks else ():
            sys.stdout.write(f"{path.stat().st_size / 1000:6.0f} kB  {path}\n")
    if options.gallery:
        GALLERY.write_text(gallery(SCENES), encoding="utf-8")


if __name__ == "__main__":
    main()
