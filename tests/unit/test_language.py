"""The language of short, informal messages: English, French, or neither."""

from __future__ import annotations

import pytest

from agents.scoring.language import Language, detect, word_count

ENGLISH = """where's my stuff you said monday
cant log in wtf is going on
u guys r the worst honestly
gimme my money back right now
fridge came dented plz swap it
omg luv it so much thx
my acct got hacked please help
the sous chef said bon appetit and left us waiting""".splitlines()
FRENCH = """jai toujours pas recu mon colis
c quoi ce bug de ouf la
jsuis trop deg mon tel marche plus
ptn ca fait trois semaines que j'attends
tabarnak le site est encore down
le feedback du meeting est ok mais la deadline est chaude
mon account est lock help svp
vous foutez de la gueule du monde""".splitlines()
OTHER = """Mein Paket ist immer noch nicht da
no puedo entrar en mi cuenta hoy
non riesco ad accedere al mio conto
meu pedido ainda não chegou aqui
mijn pakket is nog steeds niet aangekomen
jag kan inte logga in på mitt konto
min pakke er ikke kommet endnu
en pääse kirjautumaan tililleni enää
nie mogę zalogować się na swoje konto
můj balíček ještě nedorazil ke mně
nem tudok bejelentkezni a fiókomba ma
nu pot intra in contul meu acum
hesabıma giriş yapamıyorum yardım edin
saya tidak bisa masuk ke akun
tôi không thể đăng nhập tài khoản
не могу войти в свой аккаунт
我无法登录我的账户
アカウントにログインできません
로그인이 안 됩니다 빨리 도와주세요
لا أستطيع تسجيل الدخول إلى حسابي
δεν μπορώ να συνδεθώ στον λογαριασμό
אני לא מצליח להתחבר לחשבון""".splitlines()


@pytest.mark.parametrize(
    ("tag", "text"),
    [(tag, text) for tag, texts in (("en", ENGLISH), ("fr", FRENCH), ("other", OTHER)) for text in texts],
)
def test_language_is_found(tag: str, text: str) -> None:
    assert detect(text, None).tag == tag


def test_a_declared_language_is_used_by_its_primary_subtag() -> None:
    assert detect("where is my order", "fr-CA") == Language("fr", True)
    assert detect("where is my order", "DE") == Language("de", True)


@pytest.mark.parametrize("declared", [None, "", "und", "mul"])
def test_a_declaration_that_names_no_language_is_detected(declared: str | None) -> None:
    assert detect("where is my order, please?", declared).tag == "en"


@pytest.mark.parametrize("text", ["ok", "hm", "Ana Bibi", "12345", "", "🙂🙂", "@shop https://a.example/x"])
def test_few_words_claim_no_language_unless_it_is_sure(text: str) -> None:
    assert detect(text, None) == Language("other", False)


@pytest.mark.parametrize(
    ("text", "tag"), [("merci beaucoup", "fr"), ("thank you", "en"), ("remboursez mon colis", "fr")]
)
def test_few_words_that_only_one_language_has_are_sure(text: str, tag: str) -> None:
    assert detect(text, None) == Language(tag, True)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("don't stop", 3),
        ("j'attends 3 jours", 3),
        ("a@b.example see www.x.example", 1),
        ("#tag hello @you", 1),
        ("账户", 2),
    ],
)
def test_words_are_counted_without_addresses_and_numbers(text: str, count: int) -> None:
    assert word_count(text) == count


@pytest.mark.parametrize("text", ["\ud800 lone surrogate is here now", "a\x00b the null is here now", "x" * 50_000])
def test_hostile_text_is_some_language_or_none(text: str) -> None:
    assert detect(text, None).tag in ("en", "fr", "other")
