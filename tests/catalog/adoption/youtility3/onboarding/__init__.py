"""Stands for `apps.onboarding` of the real application."""
