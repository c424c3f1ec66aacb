"""Cities in sentences that do not say where they are; written for mibench, facts as in its set ``ravel``."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.probing.blocks import Blocks, Deal
from mibench.tasks.probing.labelled import CrossedText
from mibench.tasks.ravel.words import CITIES

COUNT = 36
"""Texts of each continent in a block, at most."""

_OPENINGS = """
She flew to {city}
They moved to {city}
The company opened an office in {city}
He has an aunt in {city}
The conference took place in {city}
I bought a map of {city}
The train from {city} arrived
We met a family from {city}
The weather in {city} changed
A parcel came from {city}
The film was shot in {city}
He sent me a postcard from {city}
The newspaper reported on {city}
The map on the wall shows {city}
Our guide grew up in {city}
The hotel in {city} was full
She studied in {city}
They got lost in {city}
The mayor of {city} gave a speech
My cousin works in {city}
The streets of {city} were empty
The ship left the harbour for {city}
He wrote a poem about {city}
The population of {city} has grown
The bridge in {city} was repaired
I have never been to {city}
The team will play in {city}
The bus to {city} was late
The university of {city} hired him
The lights of {city} could be seen
"""
_CLOSINGS = """
last year.
again.
at night.
in the end.
for a month.
two days ago.
with some friends.
by accident.
on Tuesday.
early in the morning.
after the war.
because of the rain.
for no reason.
in spring.
with a smile.
at once.
not long ago.
before noon.
this time.
as everybody knows.
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every sentence of a block."""
    deal = Deal("cities", block)
    continents = sorted({city.continent for city in CITIES})
    for continent in continents:
        for name in deal.share([city.name for city in CITIES if city.continent == continent]):
            for opening in deal.lines(_OPENINGS):
                for closing in deal.lines(_CLOSINGS):
                    yield deal.text(f"{opening.format(city=name)} {closing}", continent=continent)
