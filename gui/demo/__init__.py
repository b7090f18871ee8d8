"""Made-up data and a way to see a widget alone: ``python -m gui.views.common.live_plot``."""

from gui.demo.show import column, demo_actions, demo_session, show

__all__ = ["column", "demo_actions", "demo_session", "show"]
