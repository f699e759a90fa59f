"""Descent, seen: functions whose parameter is the point, and sets to stay in."""
