"""A session with a data set, whose worker is a fake trainer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gui.demo.datasets import demo_dataset
from gui.session import Session
from gui.viewmodels.training import TrainingModel
from gui.views.train.page import TrainPage

FAKE_TRAINER = Path(__file__).with_name("fake_trainer.py")


@pytest.fixture
def make_trainer(make_session: Callable[..., Session]) -> Callable[..., Session]:
    """``make_trainer(mode, with_data=True)``: a session."""

    def make(mode: str = "ok", *, with_data: bool = True) -> Session:
        session = make_session(mode)
        session.program = [sys.executable, str(FAKE_TRAINER), mode]
        session.jobs.program = session.program
        if with_data:
            session.dataset = demo_dataset(60)
        return session

    return make


@pytest.fixture
def make_model(make_trainer: Callable[..., Session]) -> Callable[..., TrainingModel]:
    """``make_model(mode)``: a model that is ready to start."""

    def make(mode: str = "ok", *, with_data: bool = True) -> TrainingModel:
        session = make_trainer(mode, with_data=with_data)
        return TrainingModel(session, session)

    return make


@pytest.fixture
def make_page(make_trainer: Callable[..., Session], qtbot) -> Callable[..., TrainPage]:
    """``make_page(mode)``: a page that is shown."""

    def make(mode: str = "ok", *, with_data: bool = True) -> TrainPage:
        page = TrainPage(make_trainer(mode, with_data=with_data))
        qtbot.addWidget(page)
        page.resize(900, 700)
        page.show()
        return page

    return make
