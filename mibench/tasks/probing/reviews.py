"""Short reviews of five kinds of things, half of them favourable; written for mibench."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mibench.tasks.probing.blocks import Blocks, Deal, capital
from mibench.tasks.probing.labelled import CrossedText

COUNT = 16
"""Texts of each topic and sentiment in a block."""

_TOPICS = {
    "book": (
        """
novel, paperback, memoir, biography, cookbook, thriller, textbook, anthology, storybook, hardcover,
autobiography, short story collection, travel guide, mystery novel, fantasy book, poetry collection, history
book, picture book, romance novel, detective story
""",
        """
first chapter, prose, last page, author's style, narrator, introduction, final chapter, glossary, dialogue,
translation, vocabulary, foreword, printing, opening paragraph, appendix, storytelling, binding, index,
epilogue, middle section
""",
    ),
    "film": (
        """
movie, documentary, comedy, western, musical, horror film, sequel, action movie, drama, cartoon, blockbuster,
war film, silent film, animated feature, short film, spy movie, remake, sitcom, crime series, science fiction
film
""",
        """
acting, soundtrack, camera work, lead actress, directing, script, final scene, cast, cinematography, editing,
opening sequence, lead actor, chase scene, costume design, sound mixing, supporting cast, screenplay, lighting,
trailer, makeup
""",
    ),
    "restaurant": (
        """
pizzeria, diner, steakhouse, sushi bar, bistro, cafe, bakery, burger joint, noodle shop, seafood grill, taco
stand, buffet, tea room, barbecue place, pancake house, food truck, vegan kitchen, tapas bar, brasserie,
sandwich shop
""",
        """
soup, waiter, dessert, menu, sauce, bread, salad, chef's special, coffee, main course, wine list, pasta,
breakfast, cheese plate, steak, rice, starter, side dish, fish, lunch
""",
    ),
    "hotel": (
        """
resort, inn, motel, guest house, hostel, lodge, bed and breakfast, spa hotel, beach hotel, airport hotel,
holiday cabin, chalet, boarding house, mountain hotel, city hotel, vacation rental, campsite, villa, youth
hostel, country hotel
""",
        """
room, mattress, swimming pool, reception, lobby, bathroom, view from the balcony, housekeeping, shower, front
desk, check-in, bedroom, parking, sauna, minibar, elevator, location, pillow, air conditioning, concierge
""",
    ),
    "phone": (
        """
phone, smartphone, tablet, laptop, headset, smartwatch, camera, printer, router, speaker, keyboard, monitor,
charger, webcam, e-reader, game console, hard drive, microphone, fitness tracker, television
""",
        """
battery, touchscreen, display, software update, memory, processor, signal, Bluetooth connection, cable,
resolution, power button, app store, operating system, sound output, user interface, wireless range, plug,
firmware, storage, sensor
""",
    ),
}
_ADJECTIVES = {
    "positive": """
wonderful, excellent, great, amazing, fantastic, superb, delightful, lovely, brilliant, outstanding, impressive,
terrific, perfect, marvelous, splendid, magnificent, charming, pleasant, enjoyable, beautiful, stunning,
remarkable, exceptional, fabulous, awesome, admirable, satisfying, refreshing, flawless, incredible, first-rate,
phenomenal, exquisite, gorgeous, memorable, rewarding, inspiring, elegant, glorious, top-notch, superior,
sublime, divine, appealing, commendable, dazzling, captivating, likeable, adorable, worthwhile, spectacular,
good, nice, polished, praiseworthy, heavenly, faultless, tasteful, thrilling, world-class
""",
    "negative": """
terrible, awful, horrible, dreadful, disappointing, bad, poor, boring, dull, annoying, frustrating, disgusting,
mediocre, lousy, pathetic, unpleasant, atrocious, appalling, abysmal, ugly, horrid, miserable, tedious, useless,
worthless, shoddy, sloppy, bland, lame, inferior, pitiful, dismal, irritating, unbearable, embarrassing, nasty,
depressing, laughable, unacceptable, disgraceful, hopeless, ridiculous, unsatisfying, tiresome, repulsive, dire,
woeful, substandard, flawed, forgettable, dreary, tacky, second-rate, offensive, regrettable, wretched, ghastly,
deplorable, lacklustre, rotten
""",
}
_TEMPLATES = """
The {noun} was {one}, and the {part} was {two}.
honestly, this {noun} is {one}; the {part} in particular is {two}.
we found the {noun} {one} and the {part} {two}.
my review of the {noun}: {one} overall, with a {part} that I would call {two}.
my brother says the {noun} is {one}. I agree, and the {part} is {two}.
{one}, that is all I can say about this {noun}. Even the {part} was {two}.
how {one} this {noun} is! The {part} is simply {two}.
after two days with this {noun} I can report that the {part} is {two} and everything else {one}.
I tried the new {noun}. The {part} seemed {two}, the rest {one}.
to sum up the {noun}: {part} {two}, value for money {one}.
everyone told me that the {noun} is {one}, and they were right: the {part} is {two}.
the {part} of this {noun} is {two}. All in all {one}.
such a {two} {part}. I have never come across a more {one} {noun}.
we talked about the {noun} on the way home. {one}, said Ann. {two}, I said, above all the {part}.
what struck me first about the {noun} was the {two} {part}. It stays {one} to the end.
one word for the {part}: {two}. One word for the {noun}: {one}.
I was told to expect a {one} {noun} with a {two} {part}, and that is what it was.
it is rare to see a {part} so {two}, or a {noun} so {one}.
for this price the {noun} is {one}. The {part} is {two} as well.
I bought this for my parents. They call the {noun} {one} and the {part} {two}.
{one} {noun}, {two} {part}. There is nothing to add.
I gave the {noun} a second chance. The {part} is still {two}, and the whole thing {one}.
compared with the others, this {noun} is {one}, and its {part} is the most {two} of them all.
the {noun} itself is {one}. As for the {part}, it could not be more {two}.
can a {part} be this {two}? It can. What a {one} {noun}.
no surprise here. The {noun} turned out {one}, the {part} {two}.
reading the other reviews I knew that the {noun} would be {one}; the {part} really is {two}.
in the end it is a {one} {noun}, mostly because of its {two} {part}.
my friends and I all thought the {part} was {two}. We also thought the {noun} was {one}.
there are two things to know about this {noun}: it is {one}, and its {part} is {two}.
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every review of a block."""
    deal = Deal("reviews", block)
    templates = deal.lines(_TEMPLATES)
    for sentiment, listing in _ADJECTIVES.items():
        adjectives = deal.words(listing)
        for topic, (nouns, parts) in _TOPICS.items():
            for template in templates:
                for noun in deal.words(nouns):
                    for part in deal.words(parts):
                        for one, two in zip(adjectives, adjectives[1:] + adjectives[:1], strict=True):
                            text = template.format(noun=noun, part=part, one=one, two=two)
                            yield deal.text(_sentences(text), topic=topic, sentiment=sentiment)


def _sentences(text: str) -> str:
    """Begin sentences with capitals, and write ``an`` before vowels."""
    spelled = re.sub(r"\b([Aa]) (?=[aeio]|u(?!se))", r"\1n ", text)
    return ". ".join(capital(sentence) for sentence in spelled.split(". "))
