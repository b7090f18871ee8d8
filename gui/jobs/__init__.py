"""Runs as child processes: their states, their events, their commands. QtCore only."""

from gui.jobs.job import Job
from gui.jobs.jobs import Jobs
from gui.jobs.progress import Progress
from gui.jobs.states import Action, JobState
from gui.jobs.tasks import Task

__all__ = ["Action", "Job", "JobState", "Jobs", "Progress", "Task"]
