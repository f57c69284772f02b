"""How cargo can move at all: rail, road, sea and ports as one table of arcs."""
