"""Stands for `apps.activity` of the real application."""
