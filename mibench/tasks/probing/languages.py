"""The same kind of sentences in English, French, German and Spanish; written for mibench."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from mibench.tasks.probing.blocks import Blocks, Deal, capital
from mibench.tasks.probing.labelled import CrossedText

COUNT = 32
"""Texts of each language in a block."""

_SUBJECTS = {
    "english": """
the teacher, my sister, our neighbour, the old man, the doctor, a young woman, his father, the baker, the
children's aunt, the captain, this farmer, her best friend, the minister, the tailor, my grandfather, the girl,
an engineer, the painter, your uncle, the waiter
""",
    "french": """
le professeur, ma soeur, notre voisin, le vieil homme, le médecin, une jeune femme, son père, le boulanger, la
tante des enfants, le capitaine, ce paysan, sa meilleure amie, le ministre, le tailleur, mon grand-père, la
fille, un ingénieur, le peintre, ton oncle, le serveur
""",
    "german": """
der Lehrer, meine Schwester, unser Nachbar, der alte Mann, der Arzt, eine junge Frau, sein Vater, der Bäcker,
die Tante der Kinder, der Kapitän, dieser Bauer, ihre beste Freundin, der Minister, der Schneider, mein
Großvater, das Mädchen, ein Ingenieur, der Maler, dein Onkel, der Kellner
""",
    "spanish": """
el profesor, mi hermana, nuestro vecino, el anciano, el médico, una mujer joven, su padre, el panadero, la tía
de los niños, el capitán, este campesino, su mejor amiga, el ministro, el sastre, mi abuelo, la muchacha, un
ingeniero, el pintor, tu tío, el camarero
""",
}
_ACTIONS = {
    "english": """
reads the newspaper, drinks a cup of coffee, is looking for the key, sells fresh bread, writes a long letter,
opens the window, has lost his hat, waits for the train, buys a bottle of milk, sings an old song, closes the
door, has seen the sea, cooks the soup, tells a story, sleeps on the sofa, repairs the roof, plays with the dog,
works in the garden, speaks about the weather, pays the bill
""",
    "french": """
lit le journal, boit une tasse de café, cherche la clé, vend du pain frais, écrit une longue lettre, ouvre la
fenêtre, a perdu son chapeau, attend le train, achète une bouteille de lait, chante une vieille chanson, ferme
la porte, a vu la mer, prépare la soupe, raconte une histoire, dort sur le canapé, répare le toit, joue avec le
chien, travaille dans le jardin, parle du temps qu'il fait, paie l'addition
""",
    "german": """
liest die Zeitung, trinkt eine Tasse Kaffee, sucht den Schlüssel, verkauft frisches Brot, schreibt einen langen
Brief, öffnet das Fenster, hat den Hut verloren, wartet auf den Zug, kauft eine Flasche Milch, singt ein altes
Lied, schließt die Tür, hat das Meer gesehen, kocht die Suppe, erzählt eine Geschichte, schläft auf dem Sofa,
repariert das Dach, spielt mit dem Hund, arbeitet im Garten, spricht über das Wetter, bezahlt die Rechnung
""",
    "spanish": """
lee el periódico, bebe una taza de café, busca la llave, vende pan fresco, escribe una carta larga, abre la
ventana, ha perdido su sombrero, espera el tren, compra una botella de leche, canta una vieja canción, cierra la
puerta, ha visto el mar, prepara la sopa, cuenta una historia, duerme en el sofá, repara el techo, juega con el
perro, trabaja en el jardín, habla del tiempo, paga la cuenta
""",
}
_TIMES = {
    "english": """
today, this evening, on Sunday, at eight o'clock, every day, after school, in the afternoon, near the church,
now, in summer, without saying a word, again, very slowly, in the kitchen, for the first time, every week, with
a smile, at night, because it is raining, at the hotel
""",
    "french": """
aujourd'hui, ce soir, le dimanche, à huit heures, tous les jours, après l'école, dans l'après-midi, près de
l'église, maintenant, en été, sans dire un mot, encore une fois, très lentement, dans la cuisine, pour la
première fois, chaque semaine, avec un sourire, pendant la nuit, parce qu'il pleut, à l'hôtel
""",
    "german": """
heute, an diesem Abend, am Sonntag, um acht Uhr, jeden Tag, nach der Schule, am Nachmittag, bei der Kirche,
jetzt, im Sommer, ohne ein Wort zu sagen, noch einmal, sehr langsam, in der Küche, zum ersten Mal, jede Woche,
mit einem Lächeln, in der Nacht, weil es regnet, im Hotel
""",
    "spanish": """
hoy, esta noche, el domingo, a las ocho, todos los días, después de la escuela, por la tarde, cerca de la
iglesia, ahora, en verano, sin decir una palabra, otra vez, muy despacio, en la cocina, por primera vez, cada
semana, con una sonrisa, durante la noche, porque llueve, en el hotel
""",
}
_AND = {"english": "and", "french": "et", "german": "und", "spanish": "y"}


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every sentence of a block, with one time or two people."""
    deal = Deal("languages", block)
    for language, people in _SUBJECTS.items():
        subjects, actions = deal.words(people), deal.words(_ACTIONS[language])
        times = deal.words(_TIMES[language])
        for subject, action, time in product(subjects, actions, times):
            yield deal.text(capital(f"{subject} {action} {time}."), language=language)
            for other, second in product(subjects, actions):
                if other != subject and second != action:
                    joined = f"{subject} {action}, {_AND[language]} {other} {second} {time}."
                    yield deal.text(capital(joined), language=language)
                    early = f"{subject} {action} {time}, {_AND[language]} {other} {second}."
                    yield deal.text(capital(early), language=language)
