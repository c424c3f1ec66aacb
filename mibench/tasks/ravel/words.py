"""Cities, their facts, and the sentences that ask for them; written for mibench, facts as in GeoNames."""

from __future__ import annotations

from typing import NamedTuple


class City(NamedTuple):
    """A line of the table that the causal model looks up.

    Attributes:
        name: Its English name.
        country: Where it is.
        continent: Continent of the country.
        language: The main language of the country: the first that GeoNames lists.
    """

    name: str
    country: str
    continent: str
    language: str


ATTRIBUTES = ("Country", "Continent", "Language")
SLOT = "{entity}"

_CITIES = """
Africa | Algeria | Arabic | Algiers
Africa | Angola | Portuguese | Luanda
Africa | Egypt | Arabic | Alexandria, Port Said, Suez
Africa | Ethiopia | Amharic | Addis Ababa
Africa | Ghana | English | Accra, Kumasi
Africa | Libya | Arabic | Benghazi, Tripoli
Africa | Morocco | Arabic | Casablanca, Marrakesh, Rabat, Tangier
Africa | Nigeria | English | Abuja, Ibadan, Kaduna, Kano, Lagos, Port Harcourt
Africa | Sudan | Arabic | Khartoum, Omdurman
Asia | Bangladesh | Bengali | Dhaka
Asia | Cambodia | Khmer | Phnom Penh
Asia | China | Chinese | Beijing, Chengdu, Chongqing, Guangzhou, Hangzhou, Harbin, Nanjing, Qingdao, Shanghai, Shenzhen, Tianjin, Wuhan
Asia | Indonesia | Indonesian | Bandung, Jakarta, Palembang, Surabaya
Asia | Iran | Persian | Isfahan, Mashhad, Shiraz, Tabriz, Tehran
Asia | Iraq | Arabic | Baghdad, Mosul
Asia | Israel | Hebrew | Haifa, Tel Aviv
Asia | Japan | Japanese | Fukuoka, Hiroshima, Kobe, Kyoto, Nagasaki, Nagoya, Osaka, Sapporo, Sendai, Yokohama
Asia | Nepal | Nepali | Kathmandu
Asia | Pakistan | Urdu | Karachi
Asia | Saudi Arabia | Arabic | Jeddah, Riyadh
Asia | South Korea | Korean | Daegu, Daejeon, Seoul
Asia | Syria | Arabic | Aleppo, Damascus, Homs
Asia | Thailand | Thai | Bangkok, Chiang Mai
Asia | Turkey | Turkish | Ankara, Antalya, Bursa, Konya
Asia | Vietnam | Vietnamese | Hanoi, Ho Chi Minh City
Europe | Austria | German | Graz, Innsbruck, Salzburg, Vienna
Europe | Bulgaria | Bulgarian | Plovdiv, Sofia, Varna
Europe | Croatia | Croatian | Rijeka, Zagreb
Europe | Czechia | Czech | Brno, Ostrava, Prague
Europe | Denmark | Danish | Aarhus, Copenhagen, Odense
Europe | Finland | Finnish | Helsinki
Europe | France | French | Bordeaux, Lille, Lyon, Marseille, Rennes, Strasbourg, Toulouse
Europe | Germany | German | Berlin, Bremen, Dortmund, Dresden, Hamburg, Hannover, Leipzig, Munich, Nuremberg, Stuttgart
Europe | Greece | Greek | Athens, Patras
Europe | Hungary | Hungarian | Budapest, Debrecen, Szeged
Europe | Italy | Italian | Bologna, Florence, Genoa, Milan, Naples, Palermo, Rome, Turin
Europe | Netherlands | Dutch | Amsterdam, Eindhoven, Rotterdam, Utrecht
Europe | Norway | Norwegian | Bergen, Oslo, Trondheim
Europe | Poland | Polish | Gdansk, Krakow, Lublin, Warsaw
Europe | Portugal | Portuguese | Lisbon, Porto
Europe | Romania | Romanian | Bucharest, Timisoara
Europe | Russia | Russian | Krasnoyarsk, Moscow, Novosibirsk, Omsk, Saint Petersburg, Vladivostok, Volgograd, Yekaterinburg
Europe | Serbia | Serbian | Belgrade
Europe | Spain | Spanish | Madrid, Malaga, Seville, Zaragoza
Europe | Sweden | Swedish | Gothenburg, Stockholm, Uppsala
Europe | United Kingdom | English | Bristol, Edinburgh, Glasgow, Leeds, Leicester, Liverpool, London, Sheffield
North America | Canada | English | Calgary, Edmonton, Halifax, Ottawa, Toronto, Winnipeg
North America | Cuba | Spanish | Havana
North America | Mexico | Spanish | Acapulco, Oaxaca, Puebla, Tijuana
North America | United States | English | Atlanta, Baltimore, Boston, Chicago, Dallas, Denver, Detroit, Houston, Los Angeles, New York City, Philadelphia, Seattle
Oceania | Australia | English | Adelaide, Brisbane, Canberra, Darwin, Hobart, Melbourne, Perth, Sydney
Oceania | New Zealand | English | Wellington
South America | Argentina | Spanish | Buenos Aires, Rosario
South America | Brazil | Portuguese | Belo Horizonte, Brasilia, Curitiba, Manaus, Rio de Janeiro, Salvador
South America | Chile | Spanish | Antofagasta, Santiago
South America | Colombia | Spanish | Barranquilla, Bogota
South America | Ecuador | Spanish | Quito
South America | Peru | Spanish | Arequipa, Cusco
South America | Uruguay | Spanish | Montevideo
South America | Venezuela | Spanish | Caracas, Maracaibo
"""  # noqa: E501


def _table(listing: str) -> tuple[City, ...]:
    lines = [[part.strip() for part in line.split("|")] for line in listing.strip().splitlines()]
    return tuple(
        City(name, country, continent, language)
        for continent, country, language, names in lines
        for name in names.split(", ")
    )


CITIES: tuple[City, ...] = _table(_CITIES)
"""None of them is an example in a template."""

TEMPLATES: dict[str, dict[str, tuple[str, ...]]] = {
    "train": {
        "Country": (
            "Paris, France. Tokyo, Japan. {entity},",
            "Country of Paris: France. Country of {entity}:",
        ),
        "Continent": (
            "Continent of Paris: Europe. Continent of Tokyo: Asia. Continent of {entity}:",
            "Delhi - Asia, Paris - Europe, Cairo - Africa, {entity} -",
        ),
        "Language": (
            "Language of Paris: French. Language of Tokyo: Japanese. Language of {entity}:",
            "In Paris they speak French. In Tokyo they speak Japanese. In {entity} they speak",
        ),
        "": ("A letter from {entity} came this morning", "She bought a map of {entity} for her trip"),
    },
    "validation": {
        "Country": (
            "Paris: France. Tokyo: Japan. Cairo: Egypt. {entity}:",
            "Paris is located in France, Tokyo is located in Japan, {entity} is located in",
        ),
        "Continent": (
            "Lima → South America, Cairo → Africa, Delhi → Asia, {entity} →",
            "The continent is Asia for Delhi, Africa for Cairo, Europe for Paris. For {entity} the continent is",
        ),
        "Language": (
            "Lima speaks Spanish. Delhi speaks Hindi. {entity} speaks",
            "Paris - French, Lima - Spanish, Delhi - Hindi, {entity} -",
        ),
        "": ("The train to {entity} was late again", "He wrote a song about {entity} in his youth"),
    },
    "test": {
        "Country": (
            "Cities: Paris in France, Tokyo in Japan, {entity} in",
            "Paris is in the country of France. {entity} is in the country of",
        ),
        "Continent": (
            "Delhi: Asia. Paris: Europe. Cairo: Africa. Lima: South America. {entity}:",
            (
                "Delhi is on the continent of Asia. Lima is on the continent of South America. "
                "{entity} is on the continent of"
            ),
        ),
        "Language": (
            "In Paris they talk in French, and in {entity} they talk in",
            "People in Lima speak Spanish. People in Delhi speak Hindi. People in {entity} speak",
        ),
        "": ("My friend moved to {entity} last year", "They talked about {entity} all evening"),
    },
}
"""By split and attribute; under ``""`` the sentences that ask for nothing. The city is always followed by a word or a
sign, and every split has sentences of its own."""

ALIASES: dict[str, tuple[str, ...]] = {
    "Chinese": ("Mandarin",),
    "Czechia": ("the Czech Republic", "Czech Republic"),
    "Netherlands": ("the Netherlands", "Holland"),
    "Oceania": ("Australia",),
    "Persian": ("Farsi",),
    "South Korea": ("Korea",),
    "United Kingdom": ("the United Kingdom", "the UK", "UK", "England", "Britain", "Great Britain"),
    "United States": ("the United States", "the USA", "USA", "the US", "America"),
}
"""Other names that are right too, after the one that training teaches."""
