"""Stands for `apps.y_helpdesk` of the real application."""
