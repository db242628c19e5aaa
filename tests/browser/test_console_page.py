"""The console page in a real Chromium: what people see and do, from an alert in Kafka to feedback in Kafka."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from streams.settings import Settings
from tests.browser.kit import Desk, alert, by_a_person, running, until, update
from tests.browser.page import feedback, opened, shot

pytestmark = pytest.mark.integration

HOSTILE = (
    "<script>window.hacked=1</script><img src=x onerror=window.hacked=2><svg onload=window.hacked=3>"
    "</span></button><iframe srcdoc='<script>parent.hacked=4</script>'></iframe> javascript:hacked=5 \u202e{{7*7}}"
)


async def test_an_alert_appears_by_itself_with_its_why_and_its_phrase_marked(
    desk: Desk, context: BrowserContext
) -> None:
    page = await opened(context, desk)
    await expect(page.locator("#empty")).to_have_text("Nothing rings. New alerts appear here by themselves.")
    await desk.ring(
        alert(1, "👩‍👩‍👧 🔥 Oh no, the charger caught fire on my desk 🔥", "p0", phrase="caught fire", late=True)
    )
    row = page.locator("li.row")
    await expect(row).to_have_count(1)
    await expect(row.locator(".chip")).to_have_text("Danger")
    await expect(row.locator(".why")).to_have_text("It may be on fire (1).")
    await expect(row.locator("mark")).to_have_text("caught fire")
    await expect(row).to_contain_text("Late")
    await row.locator("button").click()
    await expect(page.locator("#content mark")).to_have_text("caught fire")
    await expect(page.locator("#content .text")).to_have_text("👩‍👩‍👧 🔥 Oh no, the charger caught fire on my desk 🔥")
    await expect(page.locator("#content")).to_contain_text("Safety rules that rang")
    await expect(page.locator("#content .words")).to_contain_text("smoke +1.25")
    await expect(page).to_have_title("(1) Tocsin")


async def test_hostile_text_is_shown_and_never_run(desk: Desk, context: BrowserContext) -> None:
    hostile = alert(1, HOSTILE, "p0", phrase="onerror", subject=HOSTILE, author_name=HOSTILE, url="javascript:hacked=6")
    hostile["why"] = {"en": HOSTILE, "fr": HOSTILE}
    hostile["decision"].update(channel=HOSTILE[:64], category={"label": HOSTILE[:64], "probabilities": {}})
    page = await opened(context, desk, reviewer="<b>Ana</b>")
    await desk.ring(hostile)
    await page.locator("li.row button").click()
    await expect(page.locator("#content .text").first).to_have_text(HOSTILE)
    await expect(page.locator("#content mark")).to_have_text("onerror")
    await page.keyboard.press("r")
    await expect(page.locator("#effect")).to_contain_text("Saved")
    await expect(page.locator("#content .badge.said")).to_have_text("Right, says <b>Ana</b>")
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("main :is(script, img, iframe, a, b:not(.text b))").count() == 0


async def test_right_reaches_kafka_and_the_page_says_when_it_is_learned(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk, reviewer=None)
    await desk.ring(alert(1, "My parcel smokes", "p1"))
    await page.locator("li.row button").click()
    await page.get_by_role("button", name="Right").click()
    await page.locator("#name-input").fill("  Zoé   Martin ")
    await page.keyboard.press("Enter")
    (word,) = await feedback(desk, 1)
    assert (word.kind, word.reviewer, word.text) == ("confirm", "Zoé Martin", "My parcel smokes")
    assert word.labels.priority == "p1"
    await expect(page.locator("#effect")).to_have_text("Saved. Waiting for the models to learn it…")
    await desk.send("model-updates", update(word.id))
    await expect(page.locator("#effect")).to_have_text(re.compile(r"^learned, \d+\.\d s$"))
    await expect(page.locator("li.row .badge.said")).to_contain_text("Right, says Zoé Martin · learned, ")
    await page.reload()
    await expect(page.locator("#who")).to_have_text("Zoé   Martin")
    await expect(page.locator("li.row .badge.said")).to_have_text(re.compile("learned, "))


async def test_wrong_sends_only_what_was_changed(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(alert(1, "My parcel smokes", "p1"))
    await page.locator("li.row button").click()
    await expect(page.locator("#wrong")).to_be_enabled()
    await page.keyboard.press("w")
    await expect(page.locator("#wrong-dialog select[name=category] option").first).to_have_text("(leave: Safety)")
    await shot(page, "wrong")
    await page.locator("select[name=category]").select_option("delivery")
    await page.locator("select[name=urgency]").select_option("false")
    await page.get_by_role("button", name="Send").click()
    (word,) = await feedback(desk, 1)
    assert (word.kind, word.reason) == ("correct", "wrong_label")
    assert word.labels.heads() == {"category": "delivery", "urgency": "no"}
    assert word.labels.priority is None
    assert word.predicted is not None
    assert word.predicted.labels["category"] == "safety"


async def test_i_decide_moves_the_message_when_learning_answers_and_undo_takes_it_back(
    desk: Desk, context: BrowserContext
) -> None:
    page = await opened(context, desk)
    ring = alert(1, "My parcel smokes", "p1")
    await desk.ring(ring, alert(2, "Another one", "p1"))
    await expect(page.locator("li.row")).to_have_count(2)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(page.locator("li.row button[aria-current]")).to_contain_text("My parcel smokes")
    await expect(page.locator("#content .text")).to_have_text("My parcel smokes")
    await page.keyboard.press("d")
    await shot(page, "decide")
    await page.keyboard.press("3")
    (word,) = await feedback(desk, 1)
    assert (word.kind, word.reason, word.labels.priority) == ("override", "false_alarm", "p3")
    await desk.send("priority.p1", by_a_person(ring, {"id": word.id}, "p3", "withdrawn"))
    gone = page.locator("li.row.withdrawn")
    await expect(gone).to_contain_text("My parcel smokes")
    await expect(gone.locator(".chip")).to_have_text("No longer rings")
    await expect(page.locator("#undo")).to_be_enabled()  # the answer to the word may come after its effect
    await page.keyboard.press("u")
    _, undo = await feedback(desk, 2)
    assert (undo.kind, undo.retracts) == ("retract", word.id)
    await expect(page.locator("li.row.withdrawn")).to_have_count(0)
    await expect(page.locator("#effect")).to_have_text("Taken back")
    await desk.send("model-updates", update(undo.id))
    await expect(page.locator("#effect")).to_contain_text("learned, ")


async def test_raising_goes_to_the_top(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    ring = alert(1, "They are outside my door", "p2")
    await desk.ring(alert(2, "Down again", "p1"), ring)
    await page.locator("li.row", has_text="outside my door").locator("button").click()
    await page.locator("#decide:enabled").click()
    await page.locator("#decide-dialog").get_by_role("button", name="Danger").click()
    (word,) = await feedback(desk, 1)
    assert (word.reason, word.labels.priority) == ("missed", "p0")
    await desk.send("priority.p0", by_a_person(ring, {"id": word.id}, "p0", "raised"))
    first = page.locator("li.row").first
    await expect(first.locator(".chip")).to_have_text("Danger")
    await expect(first).to_contain_text("Decided by Ana")
    await expect(page.locator("#content .told")).to_have_text("It rang because: It may be on fire (1).")


async def test_two_browsers_see_each_others_words(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    other = await context.new_page()
    await other.goto(desk.url)
    await desk.ring(alert(1, "Help", "p1"))
    await page.locator("li.row button").click()
    await page.locator("#right:enabled").click()
    await expect(other.locator("li.row .badge.said")).to_have_text("Right, says Ana")
    await other.evaluate("localStorage.setItem('tocsin.reviewer', 'Bob')")
    await other.reload()
    await other.locator("li.row button").click()
    await expect(other.locator("#right")).to_be_enabled()
    await expect(other.locator("#undo")).to_be_disabled()  # it was not Bob's word


async def test_french_in_every_word_and_kept(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    unsure = alert(2, "Je ne sais plus quoi faire", "p2", language="fr", status="abstained", status_reason="urgency")
    unread = alert(3, "Ich verstehe nicht", "p2", language="de", status="unscored", status_reason="language")
    await desk.ring(alert(1, "Le chargeur a pris feu", "p0", phrase="a pris feu", late=True), unsure, unread)
    await expect(page.locator("li.row")).to_have_count(3)
    await page.get_by_role("button", name="Français").click()
    first = page.locator("li.row").first
    await expect(first.locator(".why")).to_have_text("Cela brûle peut-être (1).")
    await expect(page.locator("li.row").nth(2)).to_contain_text("Pas sûr, à vous de juger")
    await expect(page.locator("li.row").nth(1)).to_contain_text("Non évalué\u00a0: langue inconnue")
    await expect(page.locator("li.row .chip").nth(1)).to_have_text("À traiter par quelqu'un")
    await expect(page.locator("#right")).to_contain_text("C'est juste")
    await expect(page.locator("#wrong")).to_contain_text("C'est faux")
    await expect(page.locator("#decide")).to_contain_text("Je tranche")
    await page.reload()
    await expect(page.locator("html")).to_have_attribute("lang", "fr")
    await expect(page.locator("#link")).to_have_text("En direct")
    await page.keyboard.press("j")
    await expect(page.locator("#content")).to_contain_text("Règles de sécurité qui ont sonné")
    await shot(page, "french")


async def test_the_keyboard_is_enough_and_can_be_switched_off(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await desk.ring(*(alert(number, f"Message {number}", "p1") for number in (1, 2, 3)))
    await expect(page.locator("li.row")).to_have_count(3)
    current = page.locator("li.row button[aria-current]")
    for key, text in (
        ("j", "Message 3"),
        ("j", "Message 2"),
        ("k", "Message 3"),
        ("k", "Message 3"),
        ("j", "Message 2"),
    ):
        await page.keyboard.press(key)
        await expect(current).to_contain_text(text)
        await expect(current).to_be_focused()
    await expect(page.locator("#content .text")).to_have_text("Message 2")
    await page.keyboard.press("r")
    await expect(page.locator("li.row.reviewed")).to_contain_text("Message 2")
    # It sank below the others; the next one is the one that stood behind it.
    await page.keyboard.press("j")
    await expect(current).to_contain_text("Message 1")
    await page.keyboard.press("Escape")
    await expect(page.locator("#detail")).to_be_hidden()
    await page.keyboard.press("?")
    await expect(page.locator("#help-dialog")).to_be_visible()
    await page.locator("#keys-on").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("j")
    await expect(page.locator("#detail")).to_be_hidden()
    await feedback(desk, 1)


async def test_a_restarted_server_is_found_again(made: Settings, context: BrowserContext) -> None:
    async with running(made) as desk:
        page = await opened(context, desk)
        await desk.ring(alert(1, "Before", "p1"))
        await expect(page.locator("li.row")).to_have_count(1)
        port = int(desk.url.rpartition(":")[2])
    await expect(page.locator("#link")).to_have_text("Connection lost, trying again…")
    async with running(made, port=port) as desk:
        await desk.ring(alert(2, "After", "p0"))
        await expect(page.locator("li.row")).to_have_count(2)
        await expect(page.locator("#link")).to_have_text("Live")


async def test_a_flood_does_not_freeze_the_page(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await page.evaluate(
        """() => { window.longest = 0; let last = performance.now();
        const beat = () => { const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now;
        setTimeout(beat, 10); }; beat(); }"""
    )
    await desk.burst(alert(number, f"Message {number} " + "words " * 40, "p2") for number in range(1, 4001))
    await desk.ring(alert(9999, "The last one", "p0"))
    await expect(page.locator("li.row").first).to_contain_text("The last one")
    await until(lambda: desk.role.now()["alerts_read"] == 4001, "all are read")

    async def settled() -> bool:
        return await page.locator("li.row").count() == int(desk.role.now()["alerts_kept"])

    await until(settled, "the page shows what the server keeps")
    longest: float = await page.evaluate("window.longest")
    print(f"longest pause of the page: {longest:.0f} ms")
    assert longest < 1500  # nothing like a freeze, on a machine that is busy with much else


async def test_counts_are_drawn_and_their_absence_is_said(desk: Desk, context: BrowserContext) -> None:
    page = await opened(context, desk)
    await expect(page.locator("#charts-note")).to_have_text(
        "No counts: ClickHouse does not answer. The live queue goes on without it."
    )
    await with_counts(page)
    await page.reload()
    await expect(page.locator("#charts figure").first).to_contain_text("last hour: 3 · at most 2 a minute")
    assert await page.locator("#charts figure.p3 rect").count() == 60
    await expect(page.locator("#charts-note")).to_be_empty()


async def with_counts(page: Page) -> None:
    """Answers for a ClickHouse that is not there."""
    counts = {
        "p0": [0] * 30 + [2] + [0] * 20 + [1] + [0] * 8,
        "p1": [(minute * 7) % 5 for minute in range(60)],
        "p2": [10 + (minute * 11) % 17 for minute in range(60)],
        "p3": [300 + (minute * 37) % 90 for minute in range(60)],
    }
    await page.route("**/api/counts", lambda route: route.fulfill(json={"start": 0, "counts": counts}))


async def test_it_looks_right_in_both_schemes_and_on_a_phone(desk: Desk, context: BrowserContext) -> None:
    await with_counts(context.pages[0])
    page = await opened(context, desk)
    await desk.ring(*sample())
    await expect(page.locator("li.row")).to_have_count(7)
    await page.locator("li.row button").first.click()
    await expect(page.locator("#content mark")).to_have_count(2)
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="light" if scheme == "light" else "dark")
        await shot(page, scheme)
    for width in (320, 390, 768, 1280, 2560):
        await page.set_viewport_size({"width": width, "height": 800})
        # Nothing may be wider than the screen, with the list and with a message open.
        for _ in range(2):
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{width} px"
            await shot(page, f"width-{width}-{'open' if await page.locator('#detail').is_visible() else 'list'}")
            if await page.locator("#detail").is_visible():
                await page.locator("#back").click()
            else:
                await page.locator("li.row button").first.click()


def sample() -> list[dict[str, Any]]:
    """Messages of every kind."""
    fire = "My daughter's new scooter 🛴 caught fire while charging, the smoke filled the room. Nobody answers!"
    first = alert(1, fire, "p0", phrase="caught fire", late=True, url="https://help.example.com/tickets/20481")
    at = fire.index("smoke")
    first["decision"]["reasons"].insert(1, {"floor": "unsafe_product", "phrase": "smoke", "start": at, "end": at + 5})
    sentences = (
        (
            "Somebody may be in danger: fire, smoke or an explosion.",
            "Quelqu'un est peut-être en danger : feu ou fumée.",
        ),
        ("Somebody may have taken over an account.", "Un compte a peut-être été piraté."),
        ("The customer asks for a person.", "Le client demande une personne."),
        ("The models are not sure how urgent this is.", "Les modèles ne savent pas si c'est urgent."),
        ("Nobody here reads this language.", "Personne ici ne lit cette langue."),
        ("The models find this urgent.", "Les modèles trouvent cela urgent."),
        ("The customer sounds very angry.", "Le client semble très en colère."),
    )
    rings = [
        first,
        alert(2, "Someone else is logged into my account and changed the e-mail. " * 12, "p1", subject="Hacked?"),
        alert(3, "Je veux parler à quelqu'un, pas à un robot.", "p2", language="fr", drill=True),
        alert(4, "hm, so is that it then?", "p2", status="abstained", status_reason="urgency", channel=None),
        alert(5, "Wo ist mein Paket?", "p2", language="de", status="unscored", status_reason="language"),
        alert(6, "x" * 500, "p1", author_name="A-very-long-name-without-any-space-" * 5),
        alert(7, "Z̷̛a̸l̵g̶o̷ \u202eright to left\u202c مرحبا بالعالم", "p2"),
    ]
    for ring, (english, french) in zip(rings, sentences, strict=True):
        ring["why"] = {"en": english, "fr": french}
    return rings
