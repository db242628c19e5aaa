"""What is the customer's own: quoted mails, signatures and notices become spaces, all else stays where it is."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.scoring.own_words import own_words

steady = settings(derandomize=True, deadline=None, max_examples=300, database=None)

NOTICE_EN = (
    "This e-mail and any attachments are confidential and intended solely for the addressee. If you are not the"
    " intended recipient, please delete it. Unauthorised disclosure may lead to prosecution."
)
NOTICE_FR = (
    "Ce courriel et ses pièces jointes sont confidentiels et destinés à leur seul destinataire. Si vous l'avez reçu par"
    " erreur, merci de le supprimer ; toute divulgation est interdite."
)
# Lines as mails hold them, so that chance also puts them together in orders nobody thought of.
PIECES = st.sampled_from(
    [
        "I need help", "je suis perdu", "> quoted", ">> twice", "-- ", "--", "", "   ", "Ann Lee", "+44 20 7946 0000",
        "On Tue, 3 Mar 2026 at 10:12, Ann Lee <ann@x.example> wrote:", "Le mar. 3 mars 2026 à 10:12, Anne a écrit :",
        "-----Original Message-----", "----- Message d'origine -----", "From: Ann", "Sent: Monday", "To: me",
        "Subject: hello", "De : Anne", "Envoyé : lundi", "À : moi", "Objet : bonjour", "Sent from my iPhone",
        "Envoyé de mon iPhone", NOTICE_EN, NOTICE_FR, "😀 \u00a0 ﷺ", "wrote:", "a écrit :",
    ]
)  # fmt: skip
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\u2028", "\x85", " "])
MAILS = st.lists(st.tuples(PIECES, ENDS), max_size=14).map(lambda parts: "".join(map("".join, parts)))


def kept(text: str) -> str:
    """What is left of `text`, white space put together."""
    return " ".join(own_words(text).split())


@steady
@given(MAILS | st.text(max_size=300))
@example("-----Original Message-----\r\nsue\r\n")
@example("\n".join([NOTICE_FR, "", NOTICE_EN, ""]))
def test_every_character_that_stays_keeps_its_place_and_lines_their_ends(text: str) -> None:
    left = own_words(text)
    assert len(left) == len(text)
    pairs = zip(left, text, strict=True)
    assert all(now == before or (now == " " and before not in "\r\n\v\f") for now, before in pairs)
    assert [len(line) for line in left.splitlines()] == [len(line) for line in text.splitlines()]


@pytest.mark.parametrize(
    ("mail", "own"),
    [
        ("Yes please.\n\n> I smell gas\n> come quickly", "Yes please."),
        ("Oui.\n>ça sent le gaz", "Oui."),
        ("Yes.\n\nOn Tue, 3 Mar 2026 at 10:12, Ann Lee <ann@x.example> wrote:\n> I smell gas", "Yes."),
        ("Yes.\n\nOn Tue, 3 Mar 2026 at 10:12, Ann Lee <ann@x.example> wrote:\n\nI smell gas", "Yes."),
        ("Yes.\n\nOn Tue, 3 Mar 2026 at 10:12, Ann Lee\n<ann@x.example> wrote:\n> I smell gas", "Yes."),
        ("Oui.\n\nLe mar. 3 mars 2026 à 10:12, Anne Roy <a@x.example> a écrit :\n> ça sent le gaz", "Oui."),
        ("Oui.\n\nLe 3/03/2026 à 10:12, Anne Roy a écrit\u00a0:\n\nça sent le gaz", "Oui."),
        ("Oui.\r\n\r\nLe 3/03/2026 à 10:12, Anne Roy\r\na écrit :\r\n\r\nça sent le gaz\r\n", "Oui."),
        ("Yes.\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\n\nI smell gas", "Yes."),
        ("Oui.\n\n----- Message d'origine -----\nDe : Anne\n\nça sent le gaz", "Oui."),
        ("Oui.\n\n-------- Message original --------\nDe : Anne\n\nça sent le gaz", "Oui."),
        ("Yes.\n\nFrom: Ann\nSent: Monday\nTo: you\nSubject: gas\n\nI smell gas", "Yes."),
        ("Yes.\n\n*From:* Ann\n*Date:* Monday\n*To:* you\n\nI smell gas", "Yes."),
        ("Oui.\n\nDe : Anne\nEnvoyé : lundi\nÀ : vous\nObjet : gaz\n\nça sent le gaz", "Oui."),
    ],
)
def test_an_earlier_mail_is_not_the_customers_word(mail: str, own: str) -> None:
    assert kept(mail) == own


@pytest.mark.parametrize(
    ("mail", "own"),
    [
        ("Thanks!\n-- \nSue Coffin\nLegal, Fire & Press Ltd", "Thanks!"),
        ("Merci !\n--\nMaître Lamort\nAvocate à la Cour\n0470 12 34 56", "Merci !"),
        ("Merci !\r\n-- \r\nMaître Lamort\r\nAvocate à la Cour\r\n", "Merci !"),
        ("Thanks!\n\nSent from my iPhone", "Thanks!"),
        ("Thanks! Sent from my iPhone", "Thanks!"),
        ("Thanks!\nSent from my Verizon, Samsung Galaxy smartphone", "Thanks!"),
        ("Thanks!\nsent from my iphone", "Thanks!"),
        ("Thanks!\nSent from Yahoo Mail on Android", "Thanks!"),
        ("Thanks!\nSent from Mail for Windows 10", "Thanks!"),
        ("Merci\nEnvoyé depuis mon appareil mobile Samsung Galaxy", "Merci"),
        ("Merci\nEnvoyé de mon téléphone", "Merci"),
        ("Thanks!\n\nSent from Outlook for Android", "Thanks!"),
        ("Thanks!\nGet Outlook for iOS", "Thanks!"),
        ("Merci\n\nEnvoyé de mon iPhone", "Merci"),
        ("Merci\n\nEnvoyé à partir de Outlook pour Android", "Merci"),
        ("Merci\nObtenez Outlook pour Android", "Merci"),
        ("Merci\nTélécharger Outlook pour iOS", "Merci"),
        (f"Thanks!\n\n{NOTICE_EN}", "Thanks!"),
        (f"Merci !\n\n{NOTICE_FR}", "Merci !"),
        (f"Merci !\n\n{NOTICE_FR}\n\n{NOTICE_EN}", "Merci !"),
        (f"When do you open?\n-- \nAnn\n\n{NOTICE_EN}\n\nOn 3/3/2026 Bo wrote:\n> I smell gas", "When do you open?"),
    ],
)
def test_signatures_devices_and_notices_are_not_the_customers_word(mail: str, own: str) -> None:
    assert kept(mail) == own


@pytest.mark.parametrize(
    ("mail", "own"),
    [
        ("> how are you?\nI want to die\n> really?\nyes", "I want to die yes"),
        (
            "On Tue, 3 Mar 2026 at 10:12, Ann wrote:\n> how are you?\nI want to die\n> shall we call?\nplease do",
            "I want to die please do",
        ),
        ("Le 3/03/2026 à 10:12, Anne a écrit :\n> ça va ?\nje veux mourir\n> vraiment ?\noui", "je veux mourir oui"),
        ("Hello\n-- \nAnn\n\nOn 3/3/2026 Bo wrote:\n> where?\nin my kitchen", "Hello in my kitchen"),
    ],
)
def test_replies_between_quoted_lines_stay(mail: str, own: str) -> None:
    assert kept(mail) == own


@pytest.mark.parametrize(
    "message",
    [
        'On Monday he wrote: "I will kill you" and I am scared',
        "On Monday he wrote:\nI will kill you\nPlease help me",
        "On 3 March 2026 at 10:12 he wrote:\nI will kill you",
        "Le 3 mars 2026 il m'a écrit :\nje vais te tuer",
        "Le lundi il a écrit : je vais te tuer",
        "Your colleague wrote: we will not refund you. That is fraud.",
        "From: my flat\nTo: your shop\nit took two hours",
        "-- \nI want to die",
        "I give up\n-- \n" + "this goes on and on, I cannot sleep, I cannot eat, and nobody ever answers me\n" * 7,
        "I have 3 > 2 problems",
        "This message is confidential: my husband beats me, do not call the house",
        "Ce message est confidentiel, je suis en danger, n'en parlez pas au destinataire",
        "I never sent from my account anything like that",
        "sent from my phone because my husband beats me",
        "Sent from my iPhone. I want to die",
        "SENT FROM MY PHONE HE WILL kill ME",
        "---------- Forwarded message ---------\nFrom: him\nDate: Monday\nSubject: you\n\nI will kill you",
        "On Tue, 3 Mar 2026 at 10:12, Ann <ann@x.example> wrote:\nI want to die",
        "",
        "\n\n",
        "je ne l'ai pas envoyé de mon plein gré, on m'a forcé à payer",
    ],
)
def test_a_message_that_only_looks_like_mail_keeps_its_words(message: str) -> None:
    left = own_words(message)
    for word in ("kill", "tuer", "die", "fraud", "danger", "beats", "hours", "problems", "sleep", "account", "payer"):
        assert (word in left) == (word in message), left


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    [
        "a", ">", " ", "\n", "> a\n", "-- \n", "--\n", "\t", "wrote:", "on ", "On \n", "le 12:12 ", "a écrit :\n",
        "From: a\n", "confidential ", "confidential intended\n\n", "this message ", "sent from my ", "Envoyé de mon ",
        "*", "- ", "--- ", "x@", "@", "\u2028", "On 12:12 a wrote\n", "-----Original Message-----\n", "I ",
        "12:12 he wrote:\n",
    ],
)  # fmt: skip
def test_a_hundred_thousand_characters_of_anything_do_not_stop_it(piece: str) -> None:
    for text in (piece * (100_000 // len(piece)), "> a\n" + piece * (100_000 // len(piece)) + "\nwrote:\n"):
        assert len(own_words(text)) == len(text)
