"""Which language a message is in: English, French, or neither; and how many words it has.

Short, informal text is where general detectors fail ("jai pas recu mon colis svp", "ok thx"), and English and French
are where being wrong costs most. So words that people really write in the two languages vote first, together with the
commonest words of others; Compact Language Detector 2 is asked when that vote is not clear.
Owns: the tag and whether it is sure. Must never: read clock, network or disk; depend on anything but the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, cast

import pycld2

from agents.scoring.runs import Run, runs

MAX_CHARACTERS = 1_000
"""Characters that detection reads: a language shows long before."""
SURE_WORDS = 4
"""Below this many words no language is claimed unless it is sure."""


class Language(NamedTuple):
    """`tag`: `en`, `fr`, `other`, or the declared primary subtag (`de`). `sure`: few words more could change it."""

    tag: str
    sure: bool


_WORD = re.compile(r"[^\W\d_]+")
_NOISE = re.compile(r"https?://\S+|www\.\S+|[\w.+-]+@[\w-]+\.\w+|[@#]\w+")
_NO_LANGUAGE = frozenset(("und", "mul", "zxx", "mis"))

# Three points: hardly anything but this language. One: frequent here, and found elsewhere too.
_EN3 = """the and you your yours with this that these those what which where when why how who have has had having would could
should will wont don doesn didn isn aren wasn weren couldn wouldn shouldn haven hasn im ive youre theyre thats its
dont doesnt didnt isnt cant wouldnt couldnt havent hasnt they them their there here we are our been being does did
doing was were from about because after before again still just only very really much many more most some any every
everything nothing something someone anyone please pls plz thanks thank thx hello hey sorry help need want wants
wanted get got getting give gave take took make made keep kept know think thought said tell told ask asked try tried
trying use used using work works working worked waiting waited order ordered delivery delivered shipping refund
account password login bill billing charged charge paid pay money bank card phone call called calling email website
online today tomorrow yesterday week weeks month months year years day days hour hours minute minutes time times never
always ever already yet now then than also too even though although while until since if else or but not out off over
under into through great good better best bad worse worst awful terrible horrible love loved hate hated happy angry
upset sad amazing awesome nice well worth broken broke wrong issue issues problem problems customer support team
people person man guys thing things way back down up can cannot may might must shall he she his her him us my mine
myself of to for it is be by at as so lol omg wtf wth tbh idk btw ur gonna wanna gotta yeah yes no okay stop leave
left right new old first last next another other same such own each few all both who cancel cancelled canceled
cancelling flight booked booking book business please sir madam anything weird stupid shit fuck fucking damn hell oh
hi two three four five ten guy girl kids movie film feel feels look looks looking let lets see saw seen say says
should've you're it's i'm don't can't won't charged package parcel stuck app update updated screen website store shop
item items size return returned returning sent send receive received arrived arrive late missing lost found find going
go went gone come came"""
_EN1 = """i a an in on me do am or we was is it not hi so no"""
_FR3 = """je j tu il elle nous vous ils elles c ce cet cette ces ça est suis sommes êtes etes sont était etait étais etais
étaient ai avons avez ont avait avais avaient aurait serait sera serai pas plus jamais rien aucun aucune personne qui
quoi dont où quand comment pourquoi parce puisque lorsque avec sans pour dans sur sous chez vers depuis pendant avant
après apres entre contre mais donc car ni ou et les des du au aux une mon ton votre vos notre nos leur leurs mes tes
ses moi toi lui eux bonjour bonsoir salut merci svp stp desolé désolé desole pardon cordialement madame monsieur bien
mal très tres trop peu beaucoup encore toujours déjà deja aussi même meme tout tous toute toutes rien quelque quelques
chaque autre autres faire fait faites fais peux peut pouvez pouvons peuvent veux veut voulez voudrais vouloir dois
doit devez faut avoir être etre aller vais va vont allez venir vient dire dit sais sait savez voir vu vois aime aimer
adore déteste deteste reçu recu reçois recois commande commandé commander colis livraison livré livrée livreur
remboursement remboursé rembourser compte mot passe facture facturé payé payer carte banque argent téléphone telephone
appel appelé appeler mail courriel site internet aujourd aujourdhui hui demain hier semaine semaines mois an ans année
jour jours heure heures fois temps jamais problème probleme problèmes soucis souci client cliente clients service aide
aidez besoin attends attendre attente réponse reponse répondre toujours nul nulle nuls génial genial super bravo honte
honteux scandaleux arnaque arnaqueurs voleurs déçu decu déçue decue content contente ravi ravie heureux triste énervé
enerve marre ras bol putain merde con conne mdr ptdr jsuis jai javais cest ct chui chuis wsh franchement vraiment
grave ouais oui non ben bah alors voilà voila quel quelle quels quelles celui celle ceux ceci cela ca ça vite urgent
ici là la-bas dès des que qu l d n s m t le la un une nouveau nouvelle bon bonne mauvais mauvaise petit grand gros
pire mieux film produit produits achat acheté achete acheter magasin boutique taille retour retourner renvoyer envoyé
envoyer arrivé arrive arriver perdu trouvé trouver cassé casse marche fonctionne fonctionner bloqué bloque connecter
résilier resilier résiliation abonnement annuler annulé vol réservé reservation gens quelqu chose truc trucs prix cher
chère euros rapide rapidement facile difficile possible impossible depuis ya yavait tkt pk pcq bcp tjrs tjs slt bjr cc
rdv dsl jpp pr ds kan koi ke mtn auj vs tt ms fois messieurs"""
_FR1 = """en y a on me te se si de le la un que l d s m t n super service possible client produit film an ans urgent"""
_OTHER3 = """und ich nicht das ist der die ein eine einen mit auf für fur von zu den dem sie wir ihr mein meine habe hat sind aber
auch noch nur wie wann warum bitte danke guten kann kein keine wurde bei nach schon sehr ihre mir mich uns el los las
una unos para por con está esta esto este pero porque muy más mas también gracias hola mi mis tengo puedo cuándo
cuando dónde donde qué como cómo desde hace todo todos nada ustedes usted su sus sin ya lo al del ser soy son il che
non sono della del di per una gli come anche ma questo questa perché molto grazie ciao ho hai abbiamo mio mia nel alla
dal più sempre ancora buongiorno quando dopo prima não nao você voce uma para com meu minha estou está muito obrigado
obrigada também isso esse essa mais quando foi tem já ola olá bom dia pelo pela het een niet ik van dat zijn heb mijn
maar voor met ook nog wel geen bij naar deze waar wat hoe jullie bedankt graag jag och inte det att som är på för med
har min kan vad tack men från jeg ikke og det er på har til af med en vi hvad tak fra den som min hvor ja ei on että
se en ole oli kun mutta tämä minun kiitos olen nie jest się to na że jak ale dla czy mam proszę dziękuję moje jestem
był je se na to že jsem ale jak pro není mám prosím děkuji és nem hogy egy az van csak köszönöm kérem mit vagy nu este
sunt care pentru din mai dar am și sau ce vă mulțumesc bir ve bu için çok değil ben ne var yok teşekkürler merhaba
nasıl olarak yang dan di saya tidak ini itu untuk dengan ada apa bisa sudah terima kasih ang ng sa na ay mga ko hindi
po ako lang salamat không là của và có cho tôi bạn được này ez da eta bat no és amb els una que per gràcies"""


def _votes() -> dict[str, tuple[float, float, float]]:
    table: dict[str, list[float]] = {}
    for column, words, points in ((0, _EN3, 3.0), (0, _EN1, 1.0), (1, _FR3, 3.0), (1, _FR1, 1.0), (2, _OTHER3, 3.0)):
        for word in set(words.split()):
            table.setdefault(word, [0.0, 0.0, 0.0])[column] = points
    for scores in table.values():
        # A word of several languages speaks for each of them, but more quietly.
        shared = sum(1 for points in scores if points)
        scores[:] = [points / shared for points in scores]
    return {word: (scores[0], scores[1], scores[2]) for word, scores in table.items()}


_VOTES = _votes()
_FRENCH_MARKS = frozenset("éèêàùçœ")
_OTHER_MARKS = frozenset("ñãõßøåæłśżźćčšžřěůőűğışțșđ¿¡")


class _Votes(NamedTuple):
    """What a run without spaces says: words (中文 and its like count a character each) and words in the vote, votes, letters
    in words, and letters of other alphabets."""

    words: int
    voters: int
    english: float
    french: float
    other: float
    letters: int
    foreign: int


def _look(run: Run) -> _Votes:
    piece = run.text
    own = _NOISE.sub(" ", piece) if "@" in piece or "#" in piece or "://" in piece or "www." in piece else piece
    folded = own.lower()
    voters = _WORD.findall(folded)
    english = french = other = 0.0
    for word in voters:
        votes = _VOTES.get(word)
        if votes is not None:
            english += votes[0]
            french += votes[1]
            other += votes[2]
    words = voters if own.isascii() else _WORD.findall(own)
    foreign = 0
    for character in () if own.isascii() else folded:
        if character > "\u024f":
            foreign += character.isalpha()
        elif character in _FRENCH_MARKS:
            french += 1.0
        elif character in _OTHER_MARKS:
            other += 1.5
    count = sum(max(1, sum(1 for c in word if "\u3040" <= c <= "\u9fff")) for word in words)
    run.votes = _Votes(count, len(voters), english, french, other, sum(map(len, voters)), foreign)
    return cast(_Votes, run.votes)


def word_count(text: str, found: Sequence[Run] | None = None) -> int:
    """Words of `text`: runs of letters; addresses, mentions and numbers are none. 中文 and its like count a character each."""
    return sum([(run.votes or _look(run)).words for run in (runs(text) if found is None else found)])


def detect(text: str, declared: str | None = None, found: Sequence[Run] | None = None) -> Language:
    """The language of `text`, or the declared one.

    Args:
        text: what the customer wrote; the first 1,000 characters are read.
        declared: a BCP 47 tag; its primary subtag is used as it is. Absent, `und` and the like: detected.
        found: `runs(text)`, where the caller has them.

    Returns:
        Language: `other`, not sure, where fewer than four words leave it open.
    """
    if declared:
        primary = declared.partition("-")[0].partition("_")[0].lower()
        if primary and primary not in _NO_LANGUAGE:
            return Language(primary, True)
    if len(text) > MAX_CHARACTERS:
        text, found = text[:MAX_CHARACTERS], None
    count = letters = foreign = 0
    english = french = other = 0.0
    for run in runs(text) if found is None else found:
        _, voters, for_english, for_french, for_other, own_letters, own_foreign = run.votes or _look(run)
        count += voters
        english += for_english
        french += for_french
        other += for_other
        letters += own_letters
        foreign += own_foreign
    if not count:
        return Language("other", False)
    if foreign * 2 > letters:
        return Language("other", True)
    best, runner = (english, french) if english >= french else (french, english)
    tag = "en" if english >= french else "fr"
    lead = best - max(runner, other)
    # Clear: enough said, and said by a good part of the words. Franglais has a strong runner-up that is ours, too.
    if count < SURE_WORDS:
        if lead >= 2.0 and best >= 1.5 * count and other < 1.0:
            return Language(tag, True)
        return _ask(_NOISE.sub(" ", text), count, tag, best, other)
    if best - other >= 3.0 and other * 3 <= best and best >= 0.6 * count:
        return Language(tag, lead >= 3.0)
    return _ask(_NOISE.sub(" ", text), count, tag, best, other)


def _ask(text: str, count: int, tag: str, best: float, other: float) -> Language:
    """What Compact Language Detector 2 says, weighed against the vote `best` for `tag` and `other`."""
    try:
        reliable, _, found = pycld2.detect(text.encode("utf-8", "replace"), bestEffort=count >= SURE_WORDS)
    except pycld2.error:
        return Language("other", False)
    guess = found[0][1]
    ours = guess in ("en", "fr")
    if count < SURE_WORDS:
        if reliable and ours and (guess == tag or not best) and best > other:
            return Language(guess, True)
        if reliable and not ours and guess != "un" and not best:
            return Language("other", True)
        return Language("other", False)
    if ours:
        if guess != tag and best - other >= 3.0:
            return Language(tag, False)
        return Language(guess, reliable and best >= other)
    if best - other >= 3.0 and (not reliable or best >= 0.5 * count):
        return Language(tag, False)
    if guess == "un" and best > other:
        return Language(tag, False)
    return Language("other", reliable)
