"""Stands for `apps.reports` of the real application."""
