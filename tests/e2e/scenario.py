"""The list of scenarios."""

SCENARIOS = {}


def scenario(function):
    """A scenario: a function of a fresh region and of `tell`, with which it says figures. Its name is the function's, with dashes."""
    SCENARIOS[function.__name__.replace("_", "-")] = function
    return function
