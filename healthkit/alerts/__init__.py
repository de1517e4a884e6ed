"""Alerts: rules over the latest values, a state for each, and the ways to tell somebody.

`rules` reads what to watch, `conditions` judges it over `names`, `states` says what that changes, `rounds` does all of it
once, `notifications` and `transports` see that somebody hears of it.
"""
