"""Stands for `apps.work_order_management` of the real application."""
