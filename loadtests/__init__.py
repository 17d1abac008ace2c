"""The load: Locust starts, paces and stops every client; node hosts run them; a sweep runs trials."""
