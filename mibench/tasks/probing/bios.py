"""Short lives of people in five professions that are not named, half of them women; written for mibench."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.probing.blocks import Blocks, Deal, capital
from mibench.tasks.probing.labelled import CrossedText

COUNT = 16
"""Texts of each profession and gender in a block."""

_WORK = {
    "nurse": """
takes blood samples at a busy clinic
looks after patients on the night ward
changes bandages and checks temperatures
gives injections at the children's hospital
helps surgeons in the operating room
cares for the elderly in a nursing home
measures blood pressure and writes it on charts
brings medicine to patients every four hours
works in the emergency room and treats wounds
comforts sick children before their operations
prepares patients for surgery
watches over newborn babies in the maternity unit
answers the bell when a patient is in pain
gives vaccines at the village health centre
works shifts in intensive care
cleans wounds and puts on plasters
visits sick people at home to give them their pills
sets up drips and monitors heart rates
feeds patients who cannot eat by themselves
assists the doctor during examinations
""",
    "lawyer": """
defends people who are accused of crimes
argues cases before the supreme court
drafts contracts for large companies
advises clients about divorce and custody
questions witnesses in front of a jury
writes appeals for convicted prisoners
handles patent disputes
prepares wills and settles estates
negotiates settlements out of court
represents tenants against their landlords
studies statutes and precedents late into the night
files lawsuits on behalf of injured workers
gives legal advice to immigrants
prosecutes fraud for the state
reads depositions before each trial
helps firms with tax law
cross-examines experts at hearings
objects to the prosecutor's questions
takes libel cases for newspapers
passed the bar exam and opened a legal practice
""",
    "chef": """
cooks French dishes in a small restaurant
bakes bread and pastries before dawn
runs the kitchen of a grand hotel
creates new recipes with local vegetables
grills steaks and prepares sauces
decorates cakes for weddings
shouts orders over the stoves every evening
chops onions faster than anyone else
tastes every soup before it leaves the kitchen
won two Michelin stars for seafood
plans the menu around fresh herbs
fillets fish and simmers stock
roasts lamb with garlic and rosemary
makes ravioli by hand
teaches apprentices how to season food
smokes ham and pickles cucumbers
is famous for a chocolate dessert
boils lobsters and fries scallops
buys spices at the market for tonight's curry
kneads dough and rolls out pizza
""",
    "programmer": """
writes code for a web startup
fixes bugs in a payment system
develops mobile apps
maintains a large Linux server
designs databases and writes queries
builds websites with JavaScript
trains machine learning models
reviews pull requests all morning
contributes to open source libraries
debugs device drivers
works on a compiler for a new language
automates tests and deployments
wrote the software that runs the elevators
optimises algorithms for search engines
spends hours at the terminal with Python scripts
creates video games and their graphics engines
rewrites old programs in C++
secures computer networks against hackers
releases a software update every week
configures cloud servers and containers
""",
    "teacher": """
gives maths lessons at a primary school
marks homework every evening
explains grammar to ten-year-olds
prepares pupils for their final exams
writes on the blackboard in large letters
takes the class on a trip to the zoo
teaches history at the local high school
hands out report cards in June
reads stories to first graders
meets parents to talk about grades
sets spelling tests on Mondays
supervises the playground at break
helps students who fall behind in reading
runs the science club after school
corrects essays and dictations
teaches the alphabet in kindergarten
plans lessons during the summer holidays
calls the roll each morning in the classroom
gives geography classes to teenagers
coaches students for the spelling bee
""",
}
_NAMES = {
    "female": """
Mary, Linda, Susan, Karen, Emma, Olivia, Sophia, Laura, Anna, Julia, Helen, Margaret, Alice, Nancy, Betty,
Sandra, Carol, Ruth, Sharon, Michelle, Amanda, Melissa, Deborah, Stephanie, Rebecca, Cynthia, Kathleen, Amy,
Angela, Brenda, Pamela, Nicole, Catherine, Christine, Samantha, Rachel, Carolyn, Janet, Maria, Heather, Diane,
Victoria, Joyce, Lauren, Megan, Hannah, Jacqueline, Martha, Gloria, Teresa
""",
    "male": """
James, Robert, John, Michael, David, William, Richard, Joseph, Thomas, Charles, Daniel, Matthew, Anthony, Mark,
Donald, Steven, Paul, Andrew, Joshua, Kenneth, Kevin, Brian, George, Timothy, Ronald, Edward, Jason, Jeffrey,
Ryan, Jacob, Gary, Nicholas, Eric, Jonathan, Stephen, Larry, Justin, Scott, Brandon, Benjamin, Samuel, Gregory,
Frank, Alexander, Raymond, Patrick, Jack, Dennis, Jerry, Tyler
""",
}
_PRONOUNS = {
    "female": {"he": "she", "his": "her", "wife": "husband", "father": "mother", "sons": "daughters", "Mr": "Ms"},
    "male": {"he": "he", "his": "his", "wife": "wife", "father": "father", "sons": "sons", "Mr": "Mr"},
}
_TEMPLATES = """
{name} {work}, and {he} has done so for ten years.
{name} {work}. {he} lives with {his} {wife} in a small town.
every weekday {name} {work}; at weekends {he} plays tennis.
{Mr} {name} Miller {work}. {he} is fifty years old.
born in Ohio, {name} now {work}. {he} likes {his} job.
{his} {wife} says that {name} {work}. {he} is rarely home before eight.
a proud {father} of three, {name} {work}.
{name} grew up on a farm. today {he} {work}.
{name} {work}. in {his} free time {he} paints.
the neighbours know that {name} {work}, since {he} talks of nothing else.
{name} moved here in May. {he} {work}.
{his} friends say {name} {work}, and that {he} is good at it.
ask {name} what {he} does: {he} {work}.
{name} {work}, just as {his} {father} did.
for a living {name} {work}. {he} has two {sons}.
{name} {work}. {he} came to the city when {he} was twenty.
when {he} is not travelling, {name} {work}.
{name}, who turned forty last week, {work}. {he} had a party.
{name} {work}. nobody would guess that {he} once wanted to be a pilot.
since {his} graduation {name} {work}.
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every life of a block."""
    deal = Deal("bios", block)
    for profession, listing in _WORK.items():
        for gender, names in _NAMES.items():
            for template in deal.lines(_TEMPLATES):
                for work in deal.lines(listing):
                    for name in deal.words(names):
                        text = template.format(name=name, work=work, **_PRONOUNS[gender])
                        yield deal.text(_capitals(text), profession=profession, gender=gender)


def _capitals(text: str) -> str:
    return ". ".join(capital(sentence) for sentence in text.split(". "))
