"""The experiments of the scenario files, at sizes that take a second."""
