# ruff: noqa: E501  # sentences stand whole, so that a translator can read them
"""What the board says, in English and French. The page's own words only: tickets speak for themselves."""

from __future__ import annotations

from collections.abc import Mapping

from slastream.board.picture_words import FRENCH

LANGUAGES = ("en", "fr")

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("SLA board", "Tableau SLA"),
    "skip": ("Skip to the tickets", "Aller aux tickets"),
    "skip_main": ("Skip to the content", "Aller au contenu"),
    "now": ("Now", "Maintenant"),
    "trends": ("Trends", "Tendances"),
    "ticket": ("Ticket", "Ticket"),
    "views": ("Views", "Vues"),
    "overdue": ("Overdue", "En retard"),
    "at_risk": ("At risk", "À risque"),
    "hour": ("Next hour", "Prochaine heure"),
    "today": ("Today", "Aujourd’hui"),
    "paused": ("Paused", "En pause"),
    "later": ("Later", "Plus tard"),
    "on_track": ("on track", "dans les temps"),
    "tenant": ("Tenant", "Prestataire"),
    "client": ("Client", "Client"),
    "team": ("Team", "Équipe"),
    "priority": ("Priority", "Priorité"),
    "indicator": ("Indicator", "Indicateur"),
    "source": ("Source", "Source"),
    "any": ("all", "tous"),
    "search": ("Search by number", "Chercher un numéro"),
    "clear": ("Clear", "Effacer"),
    "filters": ("Filters", "Filtres"),
    "response": ("response", "prise en charge"),
    "plan": ("plan", "plan d’action"),
    "resolution": ("resolution", "résolution"),
    "left": ("left", "restant"),
    "over": ("over target", "de dépassement"),
    "due": ("due", "échéance"),
    "due_at": ("Due", "Échéance"),
    "at_risk_word": ("at risk", "à risque"),
    "since": ("since", "depuis"),
    "closed_until": ("opens", "ouvre"),
    "closed": ("closed", "fermé"),
    "waiting_for": ("waiting for", "en attente de"),
    "waiting": ("waiting", "en attente"),
    "client_on": ("client", "client"),
    "vendor_on": ("vendor", "fournisseur"),
    "third_party_on": ("third party", "tiers"),
    "internal_on": ("internal", "interne"),
    "unknown_on": ("unknown", "inconnu"),
    "expected": (
        "expected by this page’s clock; the engine has not said so yet",
        "prévu par l’horloge de cette page ; le moteur ne l’a pas encore dit",
    ),
    "hours_unknown": ("opening hours not known", "horaires inconnus"),
    "more": ("Show more", "Afficher plus"),
    "of": ("of", "sur"),
    "empty_overdue": ("Nothing is overdue.", "Rien n’est en retard."),
    "empty_at_risk": ("Nothing is at risk.", "Rien n’est à risque."),
    "empty_hour": ("Nothing is due within the hour.", "Aucune échéance dans l’heure."),
    "empty_today": ("Nothing else is due today.", "Pas d’autre échéance aujourd’hui."),
    "empty_paused": ("Nothing is paused.", "Rien n’est en pause."),
    "empty_later": ("Nothing later.", "Rien plus tard."),
    "empty_all": (
        "No open clock matches. Every promise in this view is kept, or nothing has been read yet.",
        "Aucune horloge ouverte ici : toutes les promesses sont tenues, ou rien n’a été lu.",
    ),
    "loading": ("Reading the topics", "Lecture des topics"),
    "live": ("Live", "En direct"),
    "confirmed": ("confirmed", "confirmé"),
    "stale": ("Not confirmed since", "Non confirmé depuis"),
    "stale_why": (
        "Kafka does not answer. What you see may be out of date.",
        "Kafka ne répond pas. Ce qui est affiché peut être périmé.",
    ),
    "owed": (
        "No worker has spoken: a due of this time has passed and nothing was announced:",
        "Aucun worker ne répond : une échéance est passée sans annonce :",
    ),
    "lost": (
        "The connection to the board is lost; trying again …",
        "La connexion au tableau est perdue ; nouvel essai …",
    ),
    "back": ("The board is back.", "Le tableau est de retour."),
    "simulated": ("simulated time", "temps simulé"),
    "sound": ("Sound", "Son"),
    "notify": ("Notifications", "Notifications"),
    "full": ("Full screen", "Plein écran"),
    "theme": ("Dark or light", "Sombre ou clair"),
    "language": ("Français", "English"),
    "open_in": ("Open in its system", "Ouvrir dans son système"),
    "news": ("Just now", "À l’instant"),
    "breached": ("overdue", "en retard"),
    "cleared": ("cleared", "levée"),
    "corrected": ("corrected", "corrigée"),
    "now_at": ("now", "désormais"),
    "taken_back": ("it had not been so", "ce n’était pas le cas"),
    "error_title": ("Something is wrong", "Un problème est survenu"),
    "not_found": (
        "This ticket is not on the board. It may be closed for long, or belong to another tenant.",
        "Ce ticket n’est pas sur le tableau. Il est peut-être clos depuis longtemps, ou d’un autre prestataire.",
    ),
    "still_loading": (
        "The topics are still being read. This page comes back by itself.",
        "Lecture des topics en cours. Cette page revient d’elle-même.",
    ),
    "refused": ("You may not look at this.", "Vous n’avez pas accès à cette page."),
    "back_to_now": ("Back to the board", "Retour au tableau"),
    # the ticket
    "opened": ("opened", "ouvert"),
    "read_at": ("read at", "lu à"),
    "state": ("state", "état"),
    "timeline": ("Timeline", "Chronologie"),
    "clocks": ("Clocks", "Horloges"),
    "cycle": ("cycle", "cycle"),
    "policy": ("Policy", "Politique"),
    "calendar": ("Calendar", "Calendrier"),
    "book": ("Book", "Livre"),
    "target": ("Target", "Objectif"),
    "elapsed": ("Elapsed", "Écoulé"),
    "remaining": ("Remaining", "Restant"),
    "started": ("Started", "Début"),
    "reached": ("Reached", "Atteint"),
    "breached_at": ("Overrun", "Dépassé"),
    "paused_for": ("Paused", "En pause"),
    "next_level": ("Next level", "Prochain seuil"),
    "outcome": ("Outcome", "Résultat"),
    "why": ("Why this policy", "Pourquoi cette politique"),
    "new": ("new", "nouveau"),
    "responded": ("responded", "pris en charge"),
    "in_progress": ("in progress", "en cours"),
    "resolved": ("resolved", "résolu"),
    "earlier": ("earlier", "plus tôt"),
    "carried": ("carried over", "reporté"),
    "why_unknown": (
        "The record does not carry every attribute that decided. `slastream explain` reads the journal and says why.",
        "L’enregistrement ne porte pas tous les attributs décisifs. `slastream explain` lit le journal et dit pourquoi.",
    ),
    "none": ("none", "aucune"),
    "ledger": ("Ledger", "Registre"),
    "from": ("From", "De"),
    "to": ("To", "À"),
    "counted": ("Counted", "Compté"),
    "waited": ("Waited", "Attendu"),
    "sum": ("Sum", "Somme"),
    "sum_is": ("equals elapsed exactly", "égale exactement l’écoulé"),
    "sum_not": ("does not equal elapsed", "n’égale pas l’écoulé"),
    "alerts": ("Alerts and corrections", "Alertes et corrections"),
    "no_alerts": ("Nothing was announced.", "Rien n’a été annoncé."),
    "what": ("What", "Quoi"),
    "level": ("Level", "Seuil"),
    "became_true": ("Became true", "Devenu vrai"),
    "detected": ("Detected", "Détecté"),
    "note": ("Note", "Remarque"),
    "late_word": ("late", "tardif"),
    "evidence": ("Evidence", "Preuve"),
    "print": ("Print", "Imprimer"),
    "evidence_of": ("Evidence for ticket", "Preuve pour le ticket"),
    "record": ("Record", "Enregistrement"),
    "partition": ("partition", "partition"),
    "offset": ("offset", "offset"),
    "digest": ("SHA-256 of its value", "SHA-256 de sa valeur"),
    "reopened": ("reopened", "réouvert"),
    "times": ("times", "fois"),
    "met": ("met", "tenu"),
    "missed": ("missed", "manqué"),
    "running": ("running", "en cours"),
    "paused_word": ("paused", "en pause"),
    "cancelled": ("cancelled", "annulé"),
    "measured": ("measured", "mesuré"),
    "pending": ("pending", "à venir"),
    "stopped": ("stopped", "arrêté"),
    "not_judged": (
        "Its creation was never told, so it is not judged.",
        "Sa création n’a jamais été reçue : il n’est pas jugé.",
    ),
    # trends
    "attainment": ("Attainment", "Taux de respect"),
    "this_month": ("This month", "Ce mois-ci"),
    "objective": ("Objective", "Engagement"),
    "budget": ("Error budget left", "Budget d’erreur restant"),
    "of_allowed": ("of", "sur"),
    "overspent": ("overspent by", "dépassé de"),
    "where": ("Where the time went", "Où le temps est passé"),
    "own": ("own work", "travail propre"),
    "for_client": ("waiting for client", "attente client"),
    "for_vendor": ("waiting for vendor", "attente fournisseur"),
    "for_other": ("waiting for others", "autres attentes"),
    "closed_hours": ("closed hours", "heures fermées"),
    "no_outcomes": (
        "No cycle was decided in this period.", "Aucun cycle décidé sur cette période.",
    ),
    "flags": ("Paused just before due, resumed after", "Pause juste avant l’échéance, reprise après"),
    "no_flags": ("No such pause.", "Aucune pause de ce type."),
    "flags_why": (
        "A pause that begins with little time left and ends after it would have run out. It may be right; it is worth a look.",
        "Une pause qui commence peu avant l’échéance et finit après. Elle peut être juste ; elle mérite un regard.",
    ),
    "paused_at": ("Paused at", "Pause à"),
    "resumed_at": ("Resumed at", "Reprise à"),
    "left_then": ("Left then", "Restait"),
    "decided_of": ("met / decided", "tenus / décidés"),
    "indicators_apart": (
        "Indicators are counted apart. A cycle counts on the day it was decided, in its calendar’s zone; percentages are cut, never rounded up.",
        "Les indicateurs sont comptés à part. Un cycle compte le jour de sa décision, dans le fuseau de son calendrier ; les pourcentages sont tronqués, jamais arrondis.",
    ),
    "hours_total": ("in hours", "en heures"),
}  # fmt: skip

ON_PAGE = (
    "overdue", "at_risk", "hour", "today", "paused", "later", "any", "response", "plan",
    "resolution", "left", "over", "due", "since", "closed_until", "closed", "waiting_for",
    "waiting", "client_on", "vendor_on", "third_party_on", "internal_on", "unknown_on",
    "expected", "hours_unknown", "more", "of", "loading", "live", "confirmed", "stale",
    "stale_why", "owed", "lost", "back", "simulated", "open_in", "breached", "cleared",
    "corrected", "at_risk_word", "now_at", "taken_back", "on_track",
)  # fmt: skip
"""The words that scripts need."""


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else LANGUAGES[0]
        self._at = LANGUAGES.index(self.language)

    def __call__(self, name: str) -> str:
        return WORDS[name][self._at]

    def or_as_is(self, name: str) -> str:
        """Return the word for a value of a contract, the value itself where there is none."""
        found = WORDS.get(name)
        return name if found is None else found[self._at]

    def of_picture(self, english: str) -> str:
        """Return a word of a ticket's picture, as it is where there is none."""
        return english if self.language == "en" else FRENCH.get(english, english)

    def on_page(self) -> dict[str, str]:
        """Return the words that scripts need."""
        return {name: self(name) for name in ON_PAGE}

    @property
    def other(self) -> str:
        return LANGUAGES[1 - self._at]


def choose(asked: str | None, accepted: str) -> Words:
    """Return the language that was asked for, or the first that a browser accepts and we speak."""
    if asked in LANGUAGES:
        return Words(asked)
    for part in accepted.split(","):
        code = part.partition(";")[0].strip().lower().partition("-")[0]
        if code in LANGUAGES:
            return Words(code)
    return Words(LANGUAGES[0])
