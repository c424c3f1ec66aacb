"""Things of four kinds in sentences that fit them all; written for mibench."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.probing.blocks import Blocks, Deal
from mibench.tasks.probing.labelled import CrossedText

COUNT = 32
"""Texts of each kind in a block."""

_KINDS = {
    "animal": """
dog, cat, horse, cow, sheep, goat, pig, lion, tiger, elephant, giraffe, zebra, monkey, gorilla, wolf, fox,
rabbit, squirrel, mouse, hamster, eagle, owl, parrot, penguin, duck, goose, swan, whale, dolphin, shark, salmon,
frog, turtle, snake, lizard, crocodile, spider, butterfly, kangaroo, camel
""",
    "food": """
apple, banana, pear, strawberry, pineapple, watermelon, potato, tomato, carrot, cucumber, cabbage, pumpkin,
pizza, sandwich, hamburger, omelette, pancake, waffle, croissant, muffin, cookie, pie, cake, doughnut, pudding,
sausage, steak, cheese, yoghurt, soup, salad, burrito, lasagne, cupcake, brownie, pretzel, bagel, meatball,
dumpling, peach
""",
    "tool": """
hammer, screwdriver, wrench, saw, drill, chisel, axe, shovel, rake, hoe, pickaxe, crowbar, pliers, file, sander,
ladder, wheelbarrow, toolbox, spanner, trowel, paintbrush, scissors, knife, tape measure, spirit level, vice,
chainsaw, lawnmower, nail gun, stapler, clamp, anvil, plunger, broom, mop, bucket, soldering iron, hacksaw,
mallet, pitchfork
""",
    "clothing": """
shirt, jacket, coat, sweater, dress, skirt, blouse, suit, tie, scarf, hat, cap, glove, sock, shoe, boot, sandal,
slipper, belt, vest, cardigan, hoodie, raincoat, swimsuit, pyjamas, uniform, apron, robe, cape, poncho, kimono,
beret, sneaker, mitten, corset, tuxedo, gown, bonnet, veil, waistcoat
""",
}
_OPENINGS = """
She saw a picture of the {noun}
The children talked about the {noun}
He could not find the {noun}
There was nothing there but the {noun}
The word for {noun} was new to them
They had lost the {noun}
Someone left the {noun} behind
I would not trade the {noun} for money
The story is about the {noun}
The man looked at the {noun}
We took a photo of the {noun}
The advertisement showed the {noun}
His grandmother liked the {noun}
The {noun} was in the corner
The {noun} was the first thing she noticed
The {noun} was still there
The {noun} was bigger than expected
The {noun} was for sale
The {noun} turned up
The {noun} belonged to a neighbour
The {noun} was not what he wanted
The {noun} was mentioned in the letter
The {noun} in the drawing was blue
The {noun} had a strange smell
The {noun} disappeared
The {noun} came in a large box
The {noun} was very old
The {noun} cost them a lot
The {noun} was dirty
The {noun} made everyone laugh
Please do not touch the {noun}
Do you remember the {noun}
Nobody paid attention to the {noun}
All that mattered was the {noun}
Among the prizes was the {noun}
My sister dreamed of the {noun}
The lesson began with the {noun}
She pointed at the {noun}
They could not agree about the {noun}
The first page shows the {noun}
"""
_CLOSINGS = """
yesterday.
this morning.
all the same.
of course.
in the end.
at last.
for some reason.
after lunch.
by the door.
that day.
near the window.
on Friday.
once more.
without a word.
as before.
in the evening.
not long ago.
to be honest.
until now.
when we arrived.
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every sentence of a block."""
    deal = Deal("nouns", block)
    for kind, nouns in _KINDS.items():
        for opening in deal.lines(_OPENINGS):
            for closing in deal.lines(_CLOSINGS):
                for noun in deal.words(nouns):
                    yield deal.text(f"{opening.format(noun=noun)} {closing}", kind=kind)
