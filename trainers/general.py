"""Everyday questions and answers that are the same for all runs: what a model should not forget.

Owns the rows. Their loss under a model says nothing by itself; it is compared with the base's. The rows lie
beside the trainers and not among the resources, because a run takes a copy of this package along. Refuses to
know how they are scored.
"""

from __future__ import annotations

from typing import Final

#: Question and answer; plain, short, true for long, and of as many kinds as there are rows.
GENERAL: Final[tuple[tuple[str, str], ...]] = (
    ("What is the capital of Portugal?", "The capital of Portugal is Lisbon."),
    (
        "Why is the sky blue?",
        "Air scatters blue light more strongly than red light, so it reaches us from all sides.",
    ),
    ("How many days does a leap year have?", "A leap year has 366 days."),
    ("What is 17 plus 25?", "17 plus 25 is 42."),
    ("What do bees make from nectar?", "Bees make honey from nectar."),
    ("Who wrote Romeo and Juliet?", "William Shakespeare wrote Romeo and Juliet."),
    ("Name three primary colours.", "Red, yellow and blue."),
    ("What is the opposite of generous?", "The opposite of generous is stingy."),
    (
        "How do I boil an egg?",
        "Put the egg into boiling water for about seven minutes, then cool it under cold water.",
    ),
    ("Which planet is closest to the sun?", "Mercury is the planet closest to the sun."),
    ("Translate into French: Good morning.", "Bonjour."),
    ("What is water made of?", "Each molecule of water has two atoms of hydrogen and one of oxygen."),
    ("Write one sentence about autumn.", "In autumn the leaves turn red and gold before they fall."),
    ("What is the past tense of the verb to go?", "The past tense of to go is went."),
    ("How many sides does a hexagon have?", "A hexagon has six sides."),
    (
        "Why do we have seasons?",
        "The axis of the Earth is tilted, so each half of it leans towards the sun for a part of the year.",
    ),
    ("Give me a word that rhymes with light.", "Night rhymes with light."),
    ("What does a thermometer measure?", "A thermometer measures temperature."),
    ("Is a whale a fish?", "No, a whale is a mammal: it breathes air and feeds its young with milk."),
    ("Which ocean lies between Europe and America?", "The Atlantic Ocean lies between Europe and America."),
    ("Thank you for your help!", "You're welcome! Let me know if there is anything else I can do."),
    ("What is half of 90?", "Half of 90 is 45."),
    (
        "What is photosynthesis?",
        "Plants use the light of the sun to make sugar from water and carbon dioxide.",
    ),
    (
        "How can I fall asleep more easily?",
        "Go to bed at the same time each day, keep the room dark and cool, and put your phone away early.",
    ),
    ("Put these words into alphabetical order: pear, apple, melon.", "Apple, melon, pear."),
    ("What is the largest animal on Earth?", "The blue whale is the largest animal on Earth."),
    ("Finish the proverb: Better late than", "Better late than never."),
    ("What language is spoken in Brazil?", "Most people in Brazil speak Portuguese."),
    ("What is a synonym for happy?", "A synonym for happy is glad."),
    ("How many minutes are in two hours?", "There are 120 minutes in two hours."),
    (
        "Explain gravity to a child.",
        "Gravity is the pull that brings a ball back down after you have thrown it up into the air.",
    ),
    ("What should I do before I cross a street?", "Look both ways and wait until no car is coming."),
    ("Is the number 9 odd or even?", "The number 9 is odd."),
    (
        "What is the freezing point of water?",
        "Water freezes at 0 degrees Celsius, which is 32 degrees Fahrenheit.",
    ),
    ("Suggest a name for a black cat.", "You could call a black cat Shadow."),
    ("Who are you?", "I am an assistant. I can answer questions and help you with texts."),
)
