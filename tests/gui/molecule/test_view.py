"""The 3D view under the mouse and the keys."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QPainter, QPalette, QWheelEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from gui.core.scene import Kind
from gui.demo.molecules import methanol, random_vectors, ring_polymers, water
from gui.theme import theme
from gui.views.molecule.menu import molecule_menu
from gui.views.molecule.view import MoleculeView


@pytest.fixture
def view(qtbot) -> MoleculeView:  # type: ignore[no-untyped-def]
    view = MoleculeView()
    qtbot.addWidget(view)
    view.resize(320, 240)
    view.show()
    atoms = methanol()
    view.setAtoms(atoms.numbers)
    view.setFrame(atoms.positions, forces=random_vectors(6))
    view.grab()
    return view


def place_of(view: MoleculeView, atom: int) -> QPoint:
    scene = view._canvas.scene
    assert scene is not None
    row = np.flatnonzero((scene.kind == Kind.BALL) & (scene.index == atom))[0]
    return QPoint(*np.rint(scene.start[row]).astype(int).tolist())


def pixels(view: MoleculeView) -> bytes:
    image = view.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    return bytes(image.constBits())


def test_the_same_frame_gives_the_same_picture(view: MoleculeView) -> None:
    first = pixels(view)
    view.setFrame(methanol().positions, forces=random_vectors(6))
    assert pixels(view) == first


def test_a_drag_turns_and_picks_nothing(qtbot, view: MoleculeView) -> None:  # type: ignore[no-untyped-def]
    before = view.camera().rotation
    place = place_of(view, 1)
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=place)
    qtbot.mouseMove(view, place + QPoint(40, 10))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=place + QPoint(40, 10))
    assert not np.allclose(view.camera().rotation, before)
    assert view.selected() == -1


def test_a_click_picks_and_tells(qtbot, view: MoleculeView) -> None:  # type: ignore[no-untyped-def]
    with qtbot.waitSignal(view.picked) as picked:
        qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=place_of(view, 1))
    assert picked.args == [1]
    assert "O  atom 1" in view.accessibleDescription()
    assert "|F|" in view.accessibleDescription()
    qtbot.keyClick(view, Qt.Key.Key_Escape)
    assert view.selected() == -1


@pytest.mark.parametrize(
    ("key", "field"),
    [
        (Qt.Key.Key_C, "shows_cell"),
        (Qt.Key.Key_V, "shows_forces"),
        (Qt.Key.Key_B, "shows_bonds"),
        (Qt.Key.Key_W, "is_wrapped"),
    ],
)
def test_keys_switch(qtbot, view: MoleculeView, key: Qt.Key, field: str) -> None:  # type: ignore[no-untyped-def]
    before = getattr(view.look(), field)
    qtbot.keyClick(view, key)
    assert getattr(view.look(), field) is not before
    qtbot.keyClick(view, key)
    assert getattr(view.look(), field) is before


@pytest.mark.parametrize("key", [Qt.Key.Key_Left, Qt.Key.Key_Up, Qt.Key.Key_X, Qt.Key.Key_Y])
def test_keys_turn(qtbot, view: MoleculeView, key: Qt.Key) -> None:  # type: ignore[no-untyped-def]
    before = view.camera().rotation
    qtbot.keyClick(view, key)
    rotation = view.camera().rotation
    assert not np.allclose(rotation, before)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_looking_along_an_axis(view: MoleculeView) -> None:
    for axis in range(3):
        view.lookAlong(axis)
        assert view.camera().rotation[2, axis] == pytest.approx(1)


def test_zoom_pan_and_fit(qtbot, view: MoleculeView) -> None:  # type: ignore[no-untyped-def]
    fitted = view.camera()
    qtbot.keyClick(view, Qt.Key.Key_Plus)
    assert view.camera().scale > fitted.scale
    qtbot.keyClick(view, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view.camera().pan[0] > 0
    qtbot.keyClick(view, Qt.Key.Key_F)
    assert view.camera().scale == pytest.approx(fitted.scale)
    wheel = QWheelEvent(
        QPointF(10, 10), view.mapToGlobal(QPointF(10, 10)), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(view, wheel)
    assert view.camera().scale > fitted.scale


def test_resizing_keeps_the_view(view: MoleculeView) -> None:
    before = view.camera()
    view.resize(640, 480)
    assert view.camera().scale == pytest.approx(2 * before.scale)
    assert np.array_equal(view.camera().rotation, before.rotation)


def test_a_molecule_that_drifts_stays_in_the_middle(view: MoleculeView) -> None:
    before = place_of(view, 3)
    view.setFrame(methanol().positions + 25.0, forces=random_vectors(6))
    view.grab()
    assert (place_of(view, 3) - before).manhattanLength() <= 1


def test_colours_beads_and_cells_are_painted(view: MoleculeView) -> None:
    seen = {pixels(view)}
    for name in ("force", "element"):
        view.setColouring(name)  # type: ignore[arg-type]
        seen.add(pixels(view))
    view.setForcesShown(True)
    seen.add(pixels(view))
    atoms = methanol()
    view.setFrame(atoms.positions, beads=ring_polymers(atoms))
    seen.add(pixels(view))
    box = water()
    view.setAtoms(box.numbers, True)
    view.setFrame(box.positions, box.cell)
    seen.add(pixels(view))
    view.setCellShown(False)
    seen.add(pixels(view))
    assert len(seen) == 6


def test_dark_and_light(view: MoleculeView) -> None:
    theme().choose("dark")
    image = view.grab().toImage()
    theme().choose("light")
    assert image.pixelColor(4, 4).lightness() < 60
    assert view.grab().toImage().pixelColor(4, 4).lightness() > 200


def test_images(view: MoleculeView, tmp_path) -> None:  # type: ignore[no-untyped-def]
    view.saveImage(tmp_path / "atoms.png", scale=3)
    image = QImage(str(tmp_path / "atoms.png"))
    assert (image.width(), image.height()) == (960, 720)
    assert len({image.pixel(x, 360) for x in range(960)}) > 50
    view.saveImage(tmp_path / "atoms.svg")
    drawing = (tmp_path / "atoms.svg").read_text()
    assert "<svg" in drawing
    assert "<image" not in drawing
    for name in ("atoms.png", "atoms.svg"):
        with pytest.raises(OSError, match="nowhere"):
            view.saveImage(tmp_path / "nowhere" / name)


def test_positions_must_fit_the_atoms(view: MoleculeView) -> None:
    with pytest.raises(ValueError, match="do not fit 6 atoms"):
        view.setFrame(np.zeros((5, 3)))


def test_positions_that_are_no_numbers_do_no_harm(view: MoleculeView) -> None:
    positions = methanol().positions
    positions[2] = np.nan
    view.setFrame(positions)
    pixels(view)


def test_nothing_to_show(view: MoleculeView) -> None:
    view.clear("Nothing here")
    view.grab()
    view.fit()
    assert view.accessibleDescription() == "Nothing here"
    assert view.atomAt(QPoint(10, 10)) == -1


def test_the_menu_offers_only_what_is_known(view: MoleculeView) -> None:
    menu = molecule_menu(view)
    actions = {action.text().split("\t")[0]: action for action in menu.actions()}
    assert actions["Colour by force"].isEnabled()
    assert not actions["Colour by velocity"].isEnabled()
    actions["Forces"].toggle()
    assert view.look().shows_forces
    actions["Colour by force"].trigger()
    assert view.look().colouring == "force"


def test_many_atoms_are_quick_while_they_move(qtbot, view: MoleculeView) -> None:  # type: ignore[no-untyped-def]
    box = water(12)  # 5184 atoms
    view.setAtoms(box.numbers, True)
    view.setFrame(box.positions, box.cell)
    view.grab()
    assert (view._canvas.scene.kind == Kind.STICK).any()  # type: ignore[union-attr]
    view.setCamera(view.camera().turned(0.1, 0))
    view.grab()
    assert not (view._canvas.scene.kind == Kind.STICK).any()  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: not view._is_quick)
    view.grab()
    assert (view._canvas.scene.kind == Kind.STICK).any()  # type: ignore[union-attr]


def test_the_palette_is_all_it_needs(qtbot) -> None:  # type: ignore[no-untyped-def]
    view = MoleculeView()
    qtbot.addWidget(view)
    palette = QPalette()
    palette.setColor(QPalette.ColorRole.Base, Qt.GlobalColor.darkBlue)
    view.setPalette(palette)
    assert view.grab().toImage().pixelColor(3, 3).blue() > 100


def test_a_drawing_looks_like_the_picture(view: MoleculeView, tmp_path) -> None:  # type: ignore[no-untyped-def]
    view.setForcesShown(True)
    view.saveImage(tmp_path / "atoms.svg")
    drawn = QImage(320, 240, QImage.Format.Format_RGB32)
    drawn.fill(Qt.GlobalColor.white)
    painter = QPainter(drawn)
    QSvgRenderer(str(tmp_path / "atoms.svg")).render(painter)
    painter.end()
    painted = view.grab().toImage()
    places = [(x, y) for x in range(0, 320, 2) for y in range(0, 200, 2)]
    lightness = np.array(
        [[image.pixelColor(*place).lightness() for place in places] for image in (drawn, painted)]
    )
    assert np.corrcoef(lightness)[0, 1] > 0.9


def test_arrows_have_room_until_a_person_has_looked_elsewhere(view: MoleculeView) -> None:
    before = view.camera().scale
    view.setForcesShown(True)
    assert view.camera().scale < before
    view.setCamera(view.camera().turned(0.3, 0.0))
    camera = view.camera()
    view.setForcesShown(False)
    assert view.camera() is camera
