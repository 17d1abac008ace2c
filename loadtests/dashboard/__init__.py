"""A sweep that can be watched: Locust's web page with a tab of its own, and a page of its own.

- command: python -m loadtests dashboard: the sweep, exactly as `run` makes it
- page_process: the sweep's side of the page's process: starts it, tells it, hears it
- page: the other side, under Locust: users, their number, and what arrives from the sweep
- board: what is shown, without any of the above
- routes: the addresses under which it is shown
- web/: what a browser gets: no address outside, no library
"""
