"""What one server holds for all its sessions: the tables, the runs, and the previews."""

from __future__ import annotations

from functools import cache

from hubplan.data.tables import Tables, read_tables
from hubplan.views.jobs import Jobs, runs_root
from hubplan.views.previews import Previews


class World:
    """Tables, runs and previews of this process."""

    def __init__(self) -> None:
        """Read the tables."""
        self.tables: Tables = read_tables()
        self.jobs = Jobs(runs_root())
        self.previews = Previews()


@cache
def shared_world() -> World:
    """Give the one world of this process."""
    return World()
