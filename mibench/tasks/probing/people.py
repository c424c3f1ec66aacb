"""Well-known people in sentences that do not say what they are known for; written for mibench."""

from __future__ import annotations

from collections.abc import Iterator

from mibench.tasks.probing.blocks import Blocks, Deal
from mibench.tasks.probing.labelled import CrossedText

COUNT = 30
"""Texts of each field in a block."""

_FIELDS = {
    "musician": """
Wolfgang Amadeus Mozart, Ludwig van Beethoven, Johann Sebastian Bach, Frederic Chopin, Franz Schubert, Antonio
Vivaldi, Richard Wagner, Johannes Brahms, Claude Debussy, Igor Stravinsky, Giuseppe Verdi, Joseph Haydn, Elvis
Presley, Michael Jackson, John Lennon, Paul McCartney, Bob Dylan, David Bowie, Freddie Mercury, Elton John,
Madonna, Beyonce, Taylor Swift, Lady Gaga, Rihanna, Adele, Britney Spears, Mariah Carey, Whitney Houston, Aretha
Franklin, Ella Fitzgerald, Louis Armstrong, Miles Davis, Duke Ellington, John Coltrane, Billie Holiday, Frank
Sinatra, Ray Charles, Stevie Wonder, Bob Marley, Jimi Hendrix, Eric Clapton, Bruce Springsteen, Mick Jagger,
Kurt Cobain, Eminem, Kanye West, Justin Bieber, Johnny Cash, Dolly Parton
""",
    "scientist": """
Albert Einstein, Isaac Newton, Charles Darwin, Marie Curie, Galileo Galilei, Nikola Tesla, Stephen Hawking,
Niels Bohr, Werner Heisenberg, Erwin Schrodinger, Max Planck, Richard Feynman, Enrico Fermi, Robert Oppenheimer,
Michael Faraday, James Clerk Maxwell, Ernest Rutherford, Louis Pasteur, Robert Koch, Alexander Fleming, Gregor
Mendel, Francis Crick, James Watson, Rosalind Franklin, Linus Pauling, Dmitri Mendeleev, Antoine Lavoisier,
Johannes Kepler, Nicolaus Copernicus, Tycho Brahe, Edwin Hubble, Carl Sagan, Alan Turing, Kurt Godel, Leonhard
Euler, Carl Friedrich Gauss, Bernhard Riemann, David Hilbert, Emmy Noether, Pierre-Simon Laplace, Blaise Pascal,
Archimedes, Euclid, Robert Boyle, Paul Dirac, Alexander von Humboldt, Carl Linnaeus, Jane Goodall, Ada Lovelace,
Ivan Pavlov
""",
    "athlete": """
Michael Jordan, LeBron James, Kobe Bryant, Magic Johnson, Larry Bird, Shaquille O'Neal, Stephen Curry, Wilt
Chamberlain, Babe Ruth, Jackie Robinson, Lou Gehrig, Derek Jeter, Willie Mays, Tom Brady, Joe Montana, Peyton
Manning, Jerry Rice, Wayne Gretzky, Gordie Howe, Sidney Crosby, Lionel Messi, Cristiano Ronaldo, Pele, Diego
Maradona, Zinedine Zidane, David Beckham, Ronaldinho, Neymar, Wayne Rooney, Roger Federer, Rafael Nadal, Novak
Djokovic, Andre Agassi, Pete Sampras, John McEnroe, Serena Williams, Venus Williams, Steffi Graf, Billie Jean
King, Tiger Woods, Jack Nicklaus, Arnold Palmer, Muhammad Ali, Mike Tyson, Joe Frazier, Usain Bolt, Carl Lewis,
Jesse Owens, Michael Phelps, Simone Biles
""",
    "politician": """
George Washington, Thomas Jefferson, Abraham Lincoln, Theodore Roosevelt, Woodrow Wilson, Franklin Roosevelt,
Harry Truman, Dwight Eisenhower, John Kennedy, Lyndon Johnson, Richard Nixon, Gerald Ford, Jimmy Carter, Ronald
Reagan, Bill Clinton, George Bush, Barack Obama, Joe Biden, Hillary Clinton, Winston Churchill, Margaret
Thatcher, Tony Blair, Gordon Brown, David Cameron, Boris Johnson, Charles de Gaulle, Francois Mitterrand,
Jacques Chirac, Nicolas Sarkozy, Emmanuel Macron, Otto von Bismarck, Konrad Adenauer, Willy Brandt, Helmut Kohl,
Angela Merkel, Vladimir Lenin, Joseph Stalin, Nikita Khrushchev, Mikhail Gorbachev, Boris Yeltsin, Vladimir
Putin, Mao Zedong, Deng Xiaoping, Xi Jinping, Jawaharlal Nehru, Indira Gandhi, Narendra Modi, Nelson Mandela,
Fidel Castro, Benito Mussolini
""",
}
_OPENINGS = """
My uncle wrote an article about {name}
The museum has a portrait of {name}
There is a statue of {name} in the park
She was reading a biography of {name}
He dreamed of meeting {name}
The quiz had a question about {name}
We watched a documentary about {name}
A street was named after {name}
The poster on the wall showed {name}
The children drew a picture of {name}
The interview with {name} was printed
They talked about {name} at dinner
Nobody in the room looked like {name}
The stamp with the face of {name} was sold
The class learned about {name}
Her favourite person in history is {name}
The magazine put {name} on its cover
The actor who played {name} was praised
I found an old photograph of {name}
The library bought every book about {name}
People still quote {name}
The letter was signed by {name}
The childhood of {name} was discussed
A new page about {name} was added
The crowd cheered when they mentioned {name}
The exhibition is devoted to {name}
The teacher asked who {name} was
The birthday of {name} was celebrated
The house of {name} was opened to visitors
Our neighbour knows everything about {name}
"""
_CLOSINGS = """
last week.
once again.
for the first time.
in the afternoon.
without any doubt.
on a rainy day.
as far as I know.
in front of everyone.
after a long discussion.
before the holidays.
a few years ago.
to the surprise of many.
on Sunday.
at the end of the month.
for several reasons.
with great care.
in the middle of winter.
as usual.
during the summer.
more than once.
"""


def texts(block: Blocks) -> Iterator[CrossedText]:
    """Yield every sentence of a block."""
    deal = Deal("people", block)
    for field, names in _FIELDS.items():
        for opening in deal.lines(_OPENINGS):
            for closing in deal.lines(_CLOSINGS):
                for name in deal.words(names):
                    yield deal.text(f"{opening.format(name=name)} {closing}", field=field)
