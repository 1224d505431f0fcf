"""From measurement and forecast to verdict and findings. Pure: no socket, no clock.

rules.py has one function a finding, verdict.py names the one cause.
"""
