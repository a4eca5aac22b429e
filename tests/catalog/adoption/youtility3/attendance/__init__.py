"""Stands for `apps.attendance` of the real application."""
