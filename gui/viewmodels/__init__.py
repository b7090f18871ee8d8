"""State and logic of each page; QtCore only."""
