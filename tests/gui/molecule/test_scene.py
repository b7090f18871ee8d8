"""Projection and the order of painting."""

from __future__ import annotations

import numpy as np
import pytest

from gui.core.atoms import Look, Snapshot, cell_edges, prepare
from gui.core.projection import Camera, axis_rotation
from gui.core.scene import Kind, assemble
from gui.demo.molecules import methanol, random_vectors, ring_polymers, water


def snapshot(atoms, **fields) -> Snapshot:  # type: ignore[no-untyped-def]
    return Snapshot(atoms.numbers, atoms.positions, atoms.cell, **fields)


@pytest.mark.parametrize("axis", range(3))
def test_rotations_are_rotations(axis: int) -> None:
    matrix = axis_rotation(axis, 0.7)
    assert np.allclose(matrix @ matrix.T, np.eye(3))
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_the_front_follows_the_hand() -> None:
    camera = Camera()
    front = np.array([[0.0, 0.0, 1.0]])
    right = camera.turned(0.1, 0.0).project(front, 100, 100)
    up = camera.turned(0.0, 0.1).project(front, 100, 100)
    assert right.x[0] > 50
    assert up.y[0] < 50


def test_many_turns_stay_a_rotation() -> None:
    camera = Camera()
    for _ in range(2000):
        camera = camera.turned(0.31, -0.17, 0.05)
    assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-12)


def test_zoom_keeps_the_place_under_the_pointer() -> None:
    camera = Camera(scale=30, pan=(5, -3))
    point = np.array([[1.0, 2.0, 0.0]])
    before = camera.project(point, 200, 100)
    at = (float(before.x[0]), float(before.y[0]))
    after = camera.zoomed(1.7, at, (200, 100)).project(point, 200, 100)
    assert (after.x[0], after.y[0]) == pytest.approx(at)


@pytest.mark.parametrize("distance", [np.inf, 1.0])
def test_fitted_shows_all(distance: float) -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * (3, 1, 9)
    camera = Camera(distance=distance).turned(0.4, 0.9).fitted(points, 300, 200)
    seen = camera.project(points, 300, 200)
    assert ((seen.x > 0) & (seen.x < 300) & (seen.y > 0) & (seen.y < 200)).all()


def test_perspective_enlarges_what_is_near() -> None:
    seen = Camera(distance=10.0).project(np.array([[0, 0, 2.0], [0, 0, -2.0]]), 100, 100)
    assert seen.factor[0] > 1 > seen.factor[1]


def test_everything_is_painted_from_the_back() -> None:
    atoms = water()
    look = Look(shows_forces=True)
    picture = prepare(snapshot(atoms, forces=random_vectors(192)), look)
    camera = Camera().fitted(atoms.positions, 400, 300)
    scene = assemble(picture.parts, camera, 400, 300)
    assert (np.diff(scene.depth) >= 0).all()
    assert set(scene.kind.tolist()) == set(Kind)
    assert (scene.kind == Kind.BALL).sum() == 192


def test_half_sticks_lie_between_their_balls() -> None:
    """A nearer ball hides the stick that goes away from it; a farther ball is below the stick that is set onto it."""
    atoms = methanol()
    camera = Camera().turned(0.8, 0.5).fitted(atoms.positions, 400, 300)
    picture = prepare(snapshot(atoms), Look())
    scene = assemble(picture.parts, camera, 400, 300)
    rank = {int(i): k for k, i in enumerate(scene.index) if scene.kind[k] == Kind.BALL}
    depth = camera.project(atoms.positions, 400, 300).depth
    bonds = picture.bonds
    for k in np.flatnonzero(scene.kind == Kind.STICK):
        atom = int(scene.index[k])
        others = [*bonds.second[bonds.first == atom], *bonds.first[bonds.second == atom]]
        if len(others) == 1 and abs(depth[atom] - depth[others[0]]) > 0.05:
            assert (k < rank[atom]) == (depth[atom] > depth[others[0]])


def test_the_nearest_ball_is_picked() -> None:
    atoms = water(2)
    scene = assemble(prepare(snapshot(atoms), Look()).parts, Camera(scale=30.0), 400, 400)
    balls = scene.is_ball
    for k in np.flatnonzero(balls):
        x, y = scene.start[k]
        found = scene.ball_at(x, y, 24)
        assert scene.depth[balls][scene.index[balls] == found] >= scene.depth[k] - 1e-9
    assert scene.ball_at(-50, -50, 24) == -1


def test_beads_are_not_picked() -> None:
    atoms = methanol()
    beads = ring_polymers(atoms)
    picture = prepare(snapshot(atoms, beads=beads), Look())
    scene = assemble(picture.parts, Camera(scale=40.0), 400, 400)
    assert scene.is_ball.sum() == 6 * 17
    for k in np.flatnonzero(scene.is_ball):
        assert scene.ball_at(*scene.start[k], 6) < 6


def test_colours_by_a_quantity_span_its_range() -> None:
    atoms = methanol()
    forces = np.zeros((6, 3))
    forces[:, 0] = np.arange(6)
    picture = prepare(snapshot(atoms, forces=forces), Look(colouring="force"))
    assert picture.range == (0.0, 5.0)
    assert (np.diff(picture.parts.atoms.colours) > 0).all()
    assert prepare(snapshot(atoms), Look(colouring="force")).range is None


def test_values_that_are_no_numbers_do_no_harm() -> None:
    atoms = methanol()
    values = np.array([np.nan, 1, 2, 3, np.inf, 4])
    picture = prepare(snapshot(atoms, values=values), Look(colouring="value"))
    assert picture.range == (1.0, 4.0)


def test_edges_of_cells() -> None:
    assert len(cell_edges(np.eye(3))) == 12
    assert len(cell_edges(np.diag([1.0, 1.0, 0.0]))) == 4
    assert len(cell_edges(np.zeros((3, 3)))) == 0


def test_arrows_are_comparable_and_not_longer_than_a_molecule() -> None:
    atoms = methanol()
    forces = np.zeros((6, 3))
    forces[:, 2] = [0.0, 1.0, 2.0, np.nan, 40.0, 10.0]
    arrows = prepare(snapshot(atoms, forces=forces), Look(shows_forces=True)).parts.arrows
    assert arrows is not None
    lengths = np.linalg.norm(arrows[:, 1] - arrows[:, 0], axis=1)
    assert lengths == pytest.approx([0.08, 1.6, 0.4])
