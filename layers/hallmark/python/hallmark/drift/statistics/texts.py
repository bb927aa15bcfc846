"""What a text is like, as numbers and categories that a monitor can watch: cheap, the same every time, without a model.

They are meant to *change* when texts change; none of them is a judgement of one text. Rules of thumb with known limits:

- the language comes from the script and from frequent short words; without at least two of them, and for languages that
  are not in the table, it is ``und`` (undetermined). Bokmål is told as Danish or Norwegian, Malay as Indonesian,
  Serbian as Russian at times, and a text of several languages as the one with most of these words;
- a refusal is a phrase of five languages in the first 300 characters, quoted ones included;
- toxicity knows English insults and threats only, spelled as they are. Evaluations have scorers that know more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

UNDETERMINED: Final = "und"
_LONGEST = 20_000
"""Characters that language and toxicity are read from: the beginning of a long text."""
_OPENING = 300
_LEAST_WORDS = 2
_LEAST_SHARE = 0.05
_LEAST_SCRIPT_SHARE = 0.3

_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]"  # each sign of Chinese and Japanese
    r"|[^\W\d_]{1,6}|\d{1,3}|[^\w\s]|_"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")  # noqa: RUF001 - typeset apostrophes

_SCRIPTS: Final = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("el", re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("bn", re.compile(r"[\u0980-\u09ff]")),
    ("ta", re.compile(r"[\u0b80-\u0bff]")),
    ("te", re.compile(r"[\u0c00-\u0c7f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
    ("ka", re.compile(r"[\u10a0-\u10ff]")),
    ("hy", re.compile(r"[\u0530-\u058f]")),
)
"""Scripts, the first that fits; Japanese before Chinese, whose signs it has as well."""
_VARIANTS: Final = {
    "ru": (
        ("uk", re.compile(r"[іїєґІЇЄҐ]")),
        ("sr", re.compile(r"[ђјљњћџЂЈЉЊЋЏ]")),
        ("bg", re.compile(r"\bще\b|\bса\b")),  # noqa: RUF001
    ),
    "ar": (("fa", re.compile(r"[پچژگ]")),),
}
"""Languages that share a script, by letters and words that the usual one of it does not have."""

_STOP_WORDS: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of and to is in that it you for with are this be as was not have on at by from they we can your",
        "de": "der die das und ist nicht ein eine zu mit den von auf für sich dem es ich sie auch wie wir aber im des",
        "fr": "le la les des et est un une que pour dans qui pas sur vous avec ce au du je nous il sont plus cette aux",
        "es": "el la los las y es un una que de para en por con no se su del al lo como más está pero son muy este",
        "pt": "o os as e é um uma que de para em por com não se do da dos das no na mais como mas você são isso ao",
        "it": "il lo la gli e è un una che di per in con non si del della dei sono come più ma questo anche nel alla",
        "nl": "de het een en is van niet dat op te voor met zijn je ik ook maar aan er om dit bij naar wordt deze",
        "sv": "och att det är en som på inte med för jag har av den till om men kan så vi ett från var du ska",
        "da": "og at det er en som på ikke med for jeg har af den til om men kan så vi et fra var du skal hvad",
        "fi": "ja on ei se että hän oli ovat mutta kun niin tai myös ole tämä joka minä sinä kuin voi jos mitä",
        "pl": "i w nie na się to jest że z do jak ale po co tak za od przez jego był czy są dla może ich",
        "cs": "a v se na je že s z do to jak ale po co tak za od jeho by jsem jsou pro který ne už",
        "tr": "ve bir bu için ile da de çok ne var daha gibi ama kadar olan olarak değil mi ben sen her şey",
        "id": "yang dan di untuk dengan ini itu tidak dari pada adalah dalam saya akan ke anda bisa juga oleh atau",
        "vi": "và của là có không được cho các một những trong với người này đã để khi tôi bạn như từ về",
        "hu": "a az és hogy nem egy is van ez meg de ha csak mint volt azt már még ki vagy lehet nagyon",
        "ro": "și de la în nu că un o pe cu este se mai din care pentru sau fi ce au sunt această dar",
    }.items()
}

_REFUSAL = re.compile(
    r"\bi(?:'m| am) (?:sorry|afraid|unable|not able)\b.{0,80}\b(?:can(?:'t|not)|unable|not able|won't|help|assist)\b"
    r"|\bi (?:can(?:'t|not)|won't|must decline|am unable|am not able)\b.{0,40}"
    r"\b(?:help|assist|provide|answer|comply|support|fulfil|do that|share|generate|create|to (?:that|this))"
    r"|\bi (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)\b"
    r"|\bas an ai\b.{0,80}\b(?:can(?:'t|not)|unable)\b"
    r"|\b(?:ich kann|ich darf)\b.{0,60}\bnicht (?:helfen|beantworten|unterstützen|bereitstellen|dabei)"
    r"|\bje (?:ne peux|suis désolée?)\b.{0,60}\b(?:pas|aider|répondre)\b"
    r"|\b(?:no puedo|lo siento)\b.{0,60}\b(?:ayudar|responder|proporcionar|puedo)"
    r"|\b(?:não posso|desculpe|lamento)\b.{0,60}\b(?:ajudar|responder|fornecer|posso)",
    re.IGNORECASE | re.DOTALL,
)
_INSULTS = re.compile(
    r"\b(?:idiots?|morons?|imbeciles?|stupid|dumb(?:ass)?|losers?|worthless|pathetic|scum(?:bag)?|trash|garbage"
    r"|disgusting|bastards?|bitch(?:es)?|asshole|assholes|bullshit|shit(?:ty)?|fuck(?:ing|er|ers|ed)?|crap|jerks?"
    r"|shut up|hate (?:you|them|these people)|go to hell)\b",
    re.IGNORECASE,
)
_THREATS = re.compile(
    r"\b(?:i(?:'ll| will)|i'm going to|we(?:'ll| will)|should|gonna) (?:kill|hurt|beat|shoot|stab|destroy)"
    r" (?:you|him|her|them|yourself|all of)\b|\bkill yourself\b|\b(?:you|they) (?:should|deserve to) die\b",
    re.IGNORECASE,
)
_INSULT, _THREAT = 0.4, 0.8


def text_features(text: str) -> dict[str, float | str | bool | None]:
    """Return what can be watched of a text.

    Returns:
        ``length``: characters; ``tokens``: about as many as a model would count (pieces of words of up to six letters,
        numbers of up to three digits, marks, each Chinese or Japanese sign); ``language``: ISO 639-1 or ``und``, None
        for a text without words; ``is_refusal``; ``toxicity``: from 0 to 1, 0.4 for an insult and 0.8 for a threat,
        more for several.
    """
    beginning = text[:_LONGEST]
    return {
        "length": float(len(text)),
        "tokens": float(count_tokens(text)),
        "language": language_of(beginning),
        "is_refusal": is_refusal(beginning),
        "toxicity": toxicity_of(beginning),
    }


def count_tokens(text: str) -> int:
    """Count pieces of words, numbers and marks."""
    return sum(1 for _ in _TOKEN.finditer(text))


def language_of(text: str) -> str | None:
    """Return the language of a text: see the module for what it can tell. None if it has no words."""
    words = _WORD.findall(text.casefold())
    if not words:
        return None
    letters = sum(map(len, words))
    for language, script in _SCRIPTS:
        if len(script.findall(text)) >= _LEAST_SCRIPT_SHARE * letters:
            variants = _VARIANTS.get(language, ())
            return next((variant for variant, sign in variants if sign.search(text)), language)
    counted = Counter(words)
    found = {name: sum(counted[word] for word in stop_words) for name, stop_words in _STOP_WORDS.items()}
    best = max(found, key=lambda name: found[name])
    if found[best] < max(_LEAST_WORDS, _LEAST_SHARE * len(words)):
        return UNDETERMINED
    return best if list(found.values()).count(found[best]) == 1 else UNDETERMINED


def is_refusal(text: str) -> bool:
    """Tell whether a text begins with a phrase that refuses."""
    return _REFUSAL.search(text[:_OPENING].replace("’", "'")) is not None  # noqa: RUF001


def toxicity_of(text: str) -> float:
    """Return 0 for a text without insult or threat, up to 1: one less the product of what each leaves."""
    plain = text.replace("’", "'")  # noqa: RUF001
    insults, threats = (sum(1 for _ in pattern.finditer(plain)) for pattern in (_INSULTS, _THREATS))
    return round(1 - (1 - _INSULT) ** insults * (1 - _THREAT) ** threats, 6)
