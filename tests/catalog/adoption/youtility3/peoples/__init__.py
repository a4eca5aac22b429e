"""Stands for `apps.peoples` of the real application."""
