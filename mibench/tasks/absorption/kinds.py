"""Kinds of things with their members, and sentences that a member of any kind fits into; written for mibench."""

from __future__ import annotations

_LISTS = """
animal: dog, cat, horse, cow, pig, sheep, goat, lion, tiger, bear, wolf, fox, rabbit, mouse, rat, elephant, \
giraffe, zebra, monkey, deer, camel, donkey, squirrel, whale, dolphin, shark, frog, snake, lizard, turtle
bird: eagle, hawk, owl, crow, raven, sparrow, robin, pigeon, parrot, penguin, ostrich, swan, goose, falcon, heron, \
pelican, flamingo, peacock, gull, vulture, woodpecker, finch, canary, stork, magpie
fruit: apple, banana, pear, peach, plum, cherry, grape, lemon, lime, mango, papaya, melon, strawberry, raspberry, \
blueberry, apricot, pineapple, fig, grapefruit, watermelon, coconut, pomegranate, kiwi, cranberry, blackberry
vegetable: carrot, potato, tomato, onion, garlic, cabbage, lettuce, spinach, broccoli, cauliflower, cucumber, \
celery, radish, turnip, pumpkin, squash, leek, asparagus, beetroot, eggplant, kale, parsnip, zucchini, artichoke, \
pea
colour: red, blue, green, yellow, purple, pink, brown, black, white, grey, crimson, scarlet, turquoise, violet, \
indigo, maroon, beige, magenta, lavender, khaki, teal, cyan, azure, mauve, ivory
country: France, Germany, Italy, Spain, Portugal, Poland, Sweden, Norway, Denmark, Finland, Greece, Turkey, Russia, \
China, Japan, India, Pakistan, Thailand, Vietnam, Egypt, Kenya, Nigeria, Morocco, Brazil, Argentina, Chile, Peru, \
Mexico, Canada, Australia
city: Paris, London, Berlin, Rome, Madrid, Lisbon, Vienna, Prague, Warsaw, Athens, Moscow, Tokyo, Beijing, \
Shanghai, Delhi, Bangkok, Cairo, Nairobi, Lagos, Chicago, Boston, Seattle, Toronto, Sydney, Melbourne, Dublin, \
Oslo, Stockholm, Amsterdam, Brussels
profession: doctor, nurse, teacher, lawyer, engineer, farmer, plumber, carpenter, electrician, baker, butcher, \
barber, chef, waiter, pilot, sailor, soldier, accountant, architect, journalist, dentist, surgeon, librarian, \
mechanic, tailor, painter, sculptor, pharmacist, cashier, firefighter
body part: head, arm, leg, foot, knee, elbow, shoulder, neck, finger, thumb, toe, ankle, wrist, nose, ear, mouth, \
chin, cheek, tongue, lip, throat, stomach, chest, hip, forehead, eyebrow, heel, jaw, spine, lung
garment: shirt, trousers, jacket, coat, dress, skirt, sweater, hat, scarf, glove, sock, shoe, boot, belt, blouse, \
vest, jeans, cap, pyjamas, sandal, slipper, robe, cloak, apron, hoodie
vehicle: car, bus, truck, train, bicycle, motorcycle, van, taxi, tram, ship, boat, ferry, airplane, helicopter, \
tractor, ambulance, scooter, submarine, canoe, yacht, wagon, sled, lorry, limousine, minivan
furniture: chair, table, desk, sofa, bed, couch, bench, stool, wardrobe, cupboard, bookcase, dresser, armchair, \
shelf, cabinet, mattress, crib, ottoman, sideboard, bookshelf
musical instrument: piano, violin, guitar, flute, trumpet, cello, clarinet, saxophone, trombone, harp, banjo, \
ukulele, accordion, oboe, tuba, bassoon, mandolin, harmonica, viola, xylophone, tambourine, organ, drum, lute, \
fiddle
sport: football, basketball, tennis, cricket, rugby, hockey, golf, baseball, volleyball, swimming, cycling, boxing, \
wrestling, skiing, skating, rowing, fencing, badminton, gymnastics, judo, karate, surfing, archery, softball, \
handball
metal: iron, copper, silver, gold, zinc, tin, nickel, aluminium, titanium, platinum, tungsten, mercury, cobalt, \
chromium, magnesium, lithium, uranium, sodium, potassium, calcium, manganese, steel, brass, bronze, lead
relative: mother, father, sister, brother, uncle, aunt, cousin, nephew, niece, grandmother, grandfather, daughter, \
son, husband, wife, stepmother, grandson, granddaughter, stepfather, twin
month: January, February, March, April, June, July, August, September, October, November, December
language: French, German, Italian, Spanish, Portuguese, Polish, Swedish, Norwegian, Danish, Finnish, Greek, \
Turkish, Russian, Chinese, Japanese, Hindi, Urdu, Thai, Vietnamese, Arabic, Swahili, Hebrew, Latin, Dutch, \
Hungarian, Czech, Korean, Persian, Bengali, Welsh
tool: hammer, screwdriver, wrench, saw, drill, pliers, chisel, axe, shovel, spade, rake, hoe, crowbar, scissors, \
knife, ladder, sledgehammer, hatchet, pickaxe, scythe, sickle, wheelbarrow, trowel, mallet, spanner
emotion: anger, joy, sadness, fear, happiness, jealousy, envy, pride, shame, guilt, grief, sorrow, disgust, \
anxiety, excitement, loneliness, rage, delight, despair, boredom, gratitude, hatred, embarrassment, contempt, \
regret
building: house, church, school, hospital, castle, temple, mosque, cathedral, palace, tower, barn, hotel, museum, \
theatre, library, factory, warehouse, chapel, cottage, skyscraper, stadium, prison, monastery, pub, restaurant
tree: oak, pine, maple, birch, willow, elm, cedar, spruce, beech, poplar, cypress, sycamore, fir, walnut, chestnut, \
redwood, eucalyptus, mahogany, juniper, larch
illness: cancer, malaria, influenza, asthma, diabetes, pneumonia, tuberculosis, measles, cholera, smallpox, \
arthritis, leukemia, hepatitis, bronchitis, epilepsy, polio, anemia, flu, dementia, typhoid
drink: coffee, tea, beer, wine, juice, milk, water, whisky, vodka, rum, gin, brandy, champagne, lemonade, cider, \
soda, tequila, cocoa, espresso, cocktail
"""


def _read(listing: str) -> dict[str, tuple[str, ...]]:
    lines = [line.partition(":") for line in listing.strip().splitlines()]
    return {kind: tuple(member.strip() for member in members.split(",")) for kind, _, members in lines}


KINDS: dict[str, tuple[str, ...]] = _read(_LISTS)
"""Members by kind; none is of two kinds."""

TEMPLATES = (
    "The next word on the list is {word}",
    "They were talking about {word}",
    "Here is a short text about {word}",
    "I could not stop thinking of {word}",
)
"""A member is the last word, so that nothing but the sentence before tells what it is."""
