"""Who speaks: packaged free speech of both genders in many languages, in passages of 8 s or more.

Recorded prompts are Debian's for Asterisk; synthetic voices are espeak-ng's and Festival's, which
say the sentences below, so that the number of their characters is known. Voices that judge the
score from outside the project are not among them: Debian's Russian prompts, the Italian voice
Carlo, and flite.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

Signal = npt.NDArray[np.float64]
"""Samples on the scale of 16-bit audio."""

_Piece = tuple[Signal, int, int | None]
"""Samples, their rate, and how many characters they say."""

FITTED: Final = "fitted"
JUDGED: Final = "judged"

PASSAGES: Final = 2
PASSAGE_SECONDS: Final = 8.0
PAUSE_SECONDS: Final = 0.3
SPEECH_LEVEL: Final = 2_600.0
_PROMPTS: Final = Path("/usr/share/asterisk/sounds")
_AUDIBLE: Final = 200.0

WIDE_RATE: Final = 16_000
"""Hz of what synthetic voices say."""

_ESPEAK_SPEED: Final = 175
"""Words a minute, by its own default."""

PACKAGES: Final = (
    "asterisk-core-sounds-en-wav",
    "asterisk-core-sounds-es-wav",
    "asterisk-core-sounds-fr-wav",
    "asterisk-prompt-it-menardi-wav",
    "asterisk-prompt-es-co",
    "asterisk-prompt-fr-armelle",
    "espeak-ng",
    "festival",
    "festvox-suopuhe-lj",
    "festvox-suopuhe-mv",
    "festvox-czech-dita",
    "festvox-czech-machac",
    "festvox-italp16k",
    "festvox-itapc16k",
    "libsox-fmt-base",
    "sox",
    "codec2",
)
"""What Debian calls them."""


@dataclass(frozen=True)
class Talker:
    """A voice: where it comes from, and on which side of the evidence it is."""

    name: str
    language: str
    gender: str
    side: str
    source: str
    """``prompts``, ``espeak-ng`` or ``festival``."""
    voice: str
    """The source's name for it: a folder, or a voice."""


TALKERS: Final = (
    Talker("Allison", "en", "f", FITTED, "prompts", "en_US_f_Allison"),
    Talker("Allison, Spanish", "es", "f", JUDGED, "prompts", "es_MX_f_Allison"),
    Talker("June", "fr", "f", FITTED, "prompts", "fr_CA_f_June"),
    Talker("Menardi", "it", "f", JUDGED, "prompts", "it_IT_f_Menardi"),
    Talker("Colombian", "es", "m", FITTED, "prompts", "es"),
    Talker("Armelle", "fr", "f", JUDGED, "prompts", "fr"),
    Talker("lj", "fi", "f", FITTED, "festival", "suo_fi_lj_diphone"),
    Talker("mv", "fi", "m", JUDGED, "festival", "hy_fi_mv_diphone"),
    Talker("dita", "cs", "f", JUDGED, "festival", "czech_dita"),
    Talker("machac", "cs", "m", FITTED, "festival", "czech_machac"),
    Talker("lp", "it", "f", FITTED, "festival", "lp_diphone"),
    Talker("pc", "it", "m", JUDGED, "festival", "pc_diphone"),
    Talker("English, male", "en", "m", JUDGED, "espeak-ng", "en-gb"),
    Talker("English, female", "en", "f", FITTED, "espeak-ng", "en-us+f3"),
    Talker("German, male", "de", "m", FITTED, "espeak-ng", "de+m3"),
    Talker("Portuguese, female", "pt", "f", JUDGED, "espeak-ng", "pt-br+f2"),
)

SENTENCES: Final = {
    "en": (
        "Thank you for calling, how can I help you today?",
        "Your appointment is on Thursday morning at a quarter past nine.",
        "I am afraid that this number is not in our records.",
        "Please tell me the name on the booking, and the day that you would like.",
        "We have sent the invoice to the address that you gave us last week.",
        "Would you like me to put you through to one of my colleagues?",
        "The office is closed at weekends and opens again on Monday.",
        "Let me check that for you, it will only take a moment.",
    ),
    "de": (
        "Guten Tag, was kann ich heute für Sie tun?",
        "Ihr Termin ist am Donnerstag um viertel nach neun.",
        "Diese Nummer habe ich leider nicht in unseren Unterlagen gefunden.",
        "Bitte nennen Sie mir den Namen, auf den Sie gebucht haben.",
        "Die Rechnung haben wir letzte Woche an Ihre Adresse geschickt.",
        "Möchten Sie mit einem meiner Kollegen sprechen?",
        "Am Wochenende ist das Büro geschlossen, am Montag sind wir wieder da.",
    ),
    "it": (
        "Buongiorno, come posso aiutarla oggi?",
        "Il suo appuntamento e giovedi mattina alle nove e un quarto.",
        "Mi dispiace, questo numero non si trova nei nostri archivi.",
        "Mi dica per favore il nome della prenotazione e il giorno che desidera.",
        "Abbiamo mandato la fattura al suo indirizzo la settimana scorsa.",
        "Desidera parlare con uno dei miei colleghi?",
        "Il fine settimana siamo chiusi, riapriamo lunedi.",
    ),
    "fi": (
        "Hyvaa paivaa, kuinka voin auttaa teita tanaan?",
        "Teidan aikanne on torstaina aamulla kello yhdeksan.",
        "Valitettavasti tata numeroa ei ole meidan tiedoissamme.",
        "Sanokaa minulle varauksen nimi ja toivomanne paiva.",
        "Lahetimme laskun osoitteeseenne viime viikolla.",
        "Haluatteko puhua jonkun muun kanssa?",
        "Toimisto on viikonloppuna suljettu ja avataan taas maanantaina.",
    ),
    "cs": (
        "Dobry den, jak vam mohu dnes pomoci?",
        "Vase schuzka je ve ctvrtek rano v devet hodin.",
        "Toto cislo bohuzel v nasich zaznamech neni.",
        "Reknete mi prosim jmeno a den, ktery byste chtel.",
        "Fakturu jsme minuly tyden poslali na vasi adresu.",
        "Chcete mluvit s nekterym z mych kolegu?",
        "O vikendu mame zavreno, otevirame zase v pondeli.",
    ),
    "pt": (
        "Bom dia, como posso ajudar o senhor hoje?",
        "A sua consulta é na quinta-feira de manhã, às nove e quinze.",
        "Infelizmente este número não está nos nossos registros.",
        "Diga por favor o nome da reserva e o dia que deseja.",
        "Mandamos a fatura para o seu endereço na semana passada.",
        "Gostaria de falar com um dos meus colegas?",
        "No fim de semana estamos fechados e abrimos de novo na segunda.",
    ),
    "fr": (
        "Bonjour, que puis-je faire pour vous aujourd'hui ?",
        "Votre rendez-vous est jeudi matin à neuf heures et quart.",
        "Je suis désolée, ce numéro ne se trouve pas dans nos dossiers.",
        "Dites-moi le nom de la réservation et le jour que vous souhaitez.",
        "Nous avons envoyé la facture à votre adresse la semaine dernière.",
        "Voulez-vous parler à l'un de mes collègues ?",
        "Le bureau est fermé le week-end et ouvre de nouveau lundi.",
    ),
    "es": (
        "Buenos dias, en que puedo ayudarle hoy?",
        "Su cita es el jueves por la manana a las nueve y cuarto.",
        "Lo siento, este numero no se encuentra en nuestros archivos.",
        "Digame por favor el nombre de la reserva y el dia que desea.",
        "Le mandamos la factura a su direccion la semana pasada.",
        "Desea hablar con uno de mis companeros?",
        "La oficina cierra los fines de semana y abre de nuevo el lunes.",
    ),
    "ca": (
        "Bon dia, en que puc ajudar-lo avui?",
        "La seva cita és dijous al matí a un quart de deu.",
        "Ho sento, aquest número no es troba als nostres arxius.",
        "Digui'm si us plau el nom de la reserva i el dia que desitja.",
        "Li vam enviar la factura a la seva adreça la setmana passada.",
        "Vol parlar amb un dels meus companys?",
        "L'oficina tanca els caps de setmana i obre de nou dilluns.",
    ),
    "nl": (
        "Goedemorgen, waarmee kan ik u vandaag helpen?",
        "Uw afspraak is donderdagochtend om kwart over negen.",
        "Dit nummer staat helaas niet in onze gegevens.",
        "Noemt u mij de naam van de boeking en de dag die u wenst.",
        "Wij hebben de rekening vorige week naar uw adres gestuurd.",
        "Wilt u met een van mijn collega's spreken?",
        "Het kantoor is in het weekend gesloten en gaat maandag weer open.",
    ),
    "pl": (
        "Dzień dobry, w czym mogę dzisiaj pomóc?",
        "Pana wizyta jest w czwartek rano o kwadrans po dziewiątej.",
        "Niestety tego numeru nie ma w naszych dokumentach.",
        "Proszę podać nazwisko i dzień, który pan wybiera.",
        "Fakturę wysłaliśmy na pana adres w zeszłym tygodniu.",
        "Czy chce pan rozmawiać z kimś z moich kolegów?",
        "W weekend biuro jest zamknięte, otwieramy znowu w poniedziałek.",
    ),
    "sv": (
        "God morgon, vad kan jag hjälpa er med i dag?",
        "Er tid är på torsdag morgon klockan kvart över nio.",
        "Tyvärr finns det här numret inte i våra uppgifter.",
        "Säg mig namnet på bokningen och den dag som ni önskar.",
        "Vi skickade räkningen till er adress förra veckan.",
        "Vill ni tala med någon av mina kollegor?",
        "Kontoret är stängt i helgen och öppnar igen på måndag.",
    ),
    "tr": (
        "Günaydin, bugün size nasil yardimci olabilirim?",
        "Randevunuz perşembe sabahi dokuzu çeyrek geçe.",
        "Maalesef bu numara kayitlarimizda bulunmuyor.",
        "Lütfen rezervasyonun adini ve istediğiniz günü söyleyin.",
        "Faturayi geçen hafta adresinize gönderdik.",
        "Arkadaşlarimdan biriyle görüşmek ister misiniz?",
        "Ofis hafta sonu kapali, pazartesi yeniden açiliyor.",
    ),
}
"""What synthetic voices say, by language."""


@dataclass(frozen=True, eq=False)
class Speech:
    """A passage: clean speech at 8 kHz, and wider where its voice is."""

    name: str
    talker: Talker
    samples: Signal
    rate: int
    """Hz at which it was made."""
    characters: int | None
    """How much text it holds, where that is known."""

    def at(self, rate: int) -> Signal:
        """Return the passage at a rate."""
        return resampled(self.samples, self.rate, rate)


def resampled(samples: Signal, rate: int, wanted: int) -> Signal:
    """Return samples at another rate, by a filter as good converters have it."""
    if rate == wanted:
        return samples
    common = int(np.gcd(rate, wanted))
    return np.asarray(resample_poly(samples, wanted // common, rate // common))


def speech(talker: Talker) -> list[Speech]:
    """Return a talker's passages.

    Raises:
        FileNotFoundError: its package is not installed.
    """
    pieces = _prompts(talker) if talker.source == "prompts" else _sentences(talker)
    found: list[Speech] = []
    chosen: list[tuple[Signal, int | None]] = []
    rate = 8_000
    seconds = 0.0
    for samples, rate, characters in pieces:  # the last one's serves all
        chosen.append((samples, characters))
        seconds += len(samples) / rate + PAUSE_SECONDS
        if seconds >= PASSAGE_SECONDS:
            found.append(_passage(talker, len(found) + 1, chosen, rate))
            chosen, seconds = [], 0.0
        if len(found) == PASSAGES:
            return found
    raise FileNotFoundError(f"{talker.name} has speech for {len(found)} passages only")


def _passage(
    talker: Talker, number: int, chosen: list[tuple[Signal, int | None]], rate: int
) -> Speech:
    pause = np.zeros(round(PAUSE_SECONDS * rate))
    joined = np.concatenate([part for samples, _ in chosen for part in (samples, pause)])
    frame = rate // 50
    joined = joined[: len(joined) // frame * frame]
    texts = [characters for _, characters in chosen]
    known = None if None in texts else sum(n or 0 for n in texts)
    return Speech(f"{talker.name} {number}", talker, levelled(joined, rate), rate, known)


def levelled(samples: Signal, rate: int) -> Signal:
    """Return speech of the usual level, by its active frames."""
    for _ in range(3):
        levels = np.sqrt((samples.reshape(-1, rate // 50) ** 2).mean(axis=1))
        active = levels[levels >= _AUDIBLE]
        samples = samples * (SPEECH_LEVEL / np.sqrt((active**2).mean()))
    return np.clip(samples, -32_768, 32_767)


def _trimmed(samples: Signal, rate: int) -> Signal:
    """Return speech without the silence around it."""
    size = rate // 50
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    levels = np.sqrt((frames**2).mean(axis=1))
    loud = np.flatnonzero(levels > 0.02 * levels.max())
    if not loud.size:
        return samples[:0]
    return samples[max(0, loud[0] - 2) * size : (loud[-1] + 3) * size]


def _prompts(talker: Talker) -> list[_Piece]:
    folder = _PROMPTS / talker.voice
    files = sorted(
        (path for ending in ("wav", "gsm") for path in folder.glob(f"*.{ending}")),
        key=lambda path: hashlib.sha256(path.stem.encode()).hexdigest(),
    )
    if not files:
        raise FileNotFoundError(f"no prompts in {folder}; install one of {', '.join(PACKAGES)}")
    found: list[_Piece] = []
    total = 0.0
    for path in files:
        if any(word in path.stem for word in ("tone", "beep", "monkeys", "music", "screams")):
            continue
        samples, rate = _recording(path)
        samples = _trimmed(samples, rate)
        if 0.8 <= len(samples) / rate <= 4.0:
            found.append((samples, rate, None))
            total += len(samples) / rate + PAUSE_SECONDS
        if total > (PASSAGES + 1) * (PASSAGE_SECONDS + 4):
            break
    return found


def _recording(path: Path) -> tuple[Signal, int]:
    if path.suffix == ".gsm":
        found = subprocess.run(
            ["sox", "-t", "gsm", str(path), "-t", "raw", "-e", "signed", "-b", "16", "-"],
            check=True,
            capture_output=True,
        )
        return np.frombuffer(found.stdout, dtype="<i2").astype(np.float64), 8_000
    with wave.open(str(path)) as file:
        data = file.readframes(file.getnframes())
        return np.frombuffer(data, dtype="<i2").astype(np.float64), file.getframerate()


def _sentences(talker: Talker) -> list[_Piece]:
    return [
        (said(talker, sentence), WIDE_RATE, len(sentence))
        for sentence in SENTENCES[talker.language]
    ]


def said(talker: Talker, sentence: str, speed: float = 1.0) -> Signal:
    """Return a sentence in a synthetic voice, at 16 kHz, without the silence around it.

    Args:
        talker: Of espeak-ng or Festival.
        sentence: What it says.
        speed: How quickly it talks, by its own settings: 1.15 is a quick talker with the same
            voice, and no wrong rate.
    """
    say = _said_by_espeak if talker.source == "espeak-ng" else _said_by_festival
    samples, rate = say(talker.voice, sentence, speed)
    return _trimmed(resampled(samples, rate, WIDE_RATE), WIDE_RATE)


def recorded(talker: Talker, name: str) -> Signal:
    """Return one prompt of a recorded voice, at 16 kHz, without the silence around it."""
    samples, rate = _recording(_PROMPTS / talker.voice / f"{name}.wav")
    return _trimmed(resampled(samples, rate, WIDE_RATE), WIDE_RATE)


@functools.cache
def _said_by_espeak(voice: str, sentence: str, speed: float) -> tuple[Signal, int]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        words_a_minute = str(round(_ESPEAK_SPEED * speed))
        command = ["espeak-ng", "-v", voice, "-s", words_a_minute, "-w", str(path), sentence]
        subprocess.run(command, check=True)
        return _recording(path)


@functools.cache
def _said_by_festival(voice: str, sentence: str, speed: float) -> tuple[Signal, int]:
    with tempfile.TemporaryDirectory() as folder:
        text, path = Path(folder, "text"), Path(folder, "said.wav")
        text.write_text(sentence, encoding="latin-1", errors="replace")
        chosen = f"(voice_{voice})"
        if speed != 1.0:
            chosen = f"(begin {chosen} (Parameter.set 'Duration_Stretch {1 / speed:.4f}))"
        subprocess.run(
            ["text2wave", "-o", str(path), "-eval", chosen, str(text)],
            check=True,
            capture_output=True,
        )
        return _recording(path)
