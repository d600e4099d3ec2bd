"""The scenarios. They are run in the order in which their modules are named here."""

# isort: skip_file
from . import first_boot, durability, volumes, restoring, interruption  # noqa: F401
from . import credential, certificates, ending, addons, trouble, benchmark  # noqa: F401
