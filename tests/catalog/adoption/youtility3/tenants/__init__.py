"""Stands for `apps.tenants` of the real application."""
