"""Workloads: users of Locust that send in other ways than `PushUser`, each chosen by its class name or its tag.

`options.py` has their arguments, `manner.py` what a user may do otherwise, `table.py` lists them all.
"""
