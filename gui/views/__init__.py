"""Widgets: they show what view models know, and tell them what a person did."""
