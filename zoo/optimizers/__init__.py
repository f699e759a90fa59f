"""Optimizers written from their equations, and the schedules that torch lacks."""
