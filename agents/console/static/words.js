// Every word on the page, in English and French. Those of contract section 1 stand here exactly as there.
// Must never hold markup: words are set as text.

const WORDS = {
  en: {
    self_harm: "Self-harm", harm_to_others: "Harm to others", person_in_danger: "Somebody in danger", child_in_danger: "A child in danger", fire: "Fire", gas: "Gas",
    electric_shock: "Electric shock", poisoning: "Poisoning", allergy: "Allergy", unsafe_product: "Unsafe product", breach: "Breach under way", account_taken_over: "Account taken over",
    fraud: "Fraud", outage: "Outage", threat: "Threat", harassment: "Harassment", doxxing: "Private details made public", our_people: "Conduct of our own people", impostor: "Impostors",
    wants_human: "Wants a person", leaving: "Leaving", data_rights: "Data rights", bereavement: "Bereavement", illness: "Illness", hardship: "Hardship",
    violence_or_discrimination: "Violence or discrimination suffered",
    rules_page: "Rules", change_title: "Change the policy", document: "The policy, whole", try_on: "Try it on the messages of", try: "Try it", days_7: "the last 7 days", days_1: "the last day",
    reason: "Why", save_policy: "Save: it is in force at once", rang_why: "Each safety rule, with the phrases that rang in the last 28 days as customers wrote them, and how often that was right where somebody judged.",
    not_judged: "nobody judged", never_rang: "did not ring", no_counts_here: "no counts: ClickHouse does not answer", rang_times: "rang {0} times",
    as_written: "As written", rang: "Rang", judged: "Judged", right_share: "Right, with its 95 % interval", phrases_of: "{0} phrases in the policy.", jump: "Show them in the text",
    trying: "Judging the past under both policies. Nothing rings…", tried: "On {0} messages", not_whole: "Only the older part: the rest would have taken too long.", before: "Now", after: "Changed",
    rings_all: "Would ring", left_all: "Left to people", precision: "Rang rightly, of what rang", recall: "Rang, of what should", people_decided: "The last two go by the {0} messages that people decided.",
    nothing_moved: "No message would have another priority.", some_of_them: "Some of them", owner: "owner: {0}", no_policy: "No policy is published.", policy_saved: "Saved. It is in force.",
    trends: "Trends", pages: "Pages", search: "Search what rings", state: "State", clear: "Clear", found: "{0} shown",
    all_priority: "All priorities", all_state: "Open and done", all_channel: "All channels", all_language: "All languages",
    all_category: "All categories", state_open: "Open", state_free: "Nobody has it", state_mine: "Mine", state_done: "Done",
    none_fit: "Nothing that rings fits this search.", take: "Take", take_over: "Take over", give_back: "Give back", resolve: "Resolve", reopen: "Reopen",
    taken_by: "Taken by {0}", resolved_by: "Resolved by {0}", did_taken: "Taken: others see it.", did_released: "Given back.",
    did_resolved: "Resolved.", did_reopened: "Reopened.", veiled: "Abusive text, veiled.", unveil: "Show it",
    alone: "Without the safety rules, the models alone would have said: {0}.", conversation: "The conversation", journey: "This customer's last weeks",
    journey_messages: "{0} messages in 90 days", mood: "How they sounded, oldest to newest", deleted: "(deleted)", protocol: "What the team does now", helplines: "Helplines",
    no_around: "The conversation is not shown: ClickHouse does not answer.",
    role_customer: "Customer", role_agent: "Agent", role_bot: "Bot", role_moderator: "Moderator",
    standing_at_risk: "May leave", standing_advocate: "Speaks well of us", standing_first_post: "New here", standing_rising_star: "More and more active",
    standing_quotable: "Quotable praise", standing_drifting: "Drifts away",
    key_t: "Take, or give back", key_e: "Resolve, or reopen", key_v: "show, or veil, abusive text", key_search: "search",
    hours_title: "The last 48 hours, by hour", hours_messages: "messages", hours_negative: "negative", hours_positive: "positive", hours_angry: "angry",
    hours_urgent: "danger or urgent", changed_title: "What changed today", changed_why: "Each category's share of the last 24 hours, against the seven days before. The bar shows where the truth lies 95 times in 100.",
    times: "{0} times its usual share", times_between: "between {0} and {1}", small: "small number", as_usual: "as usual", more_than_usual: "more than usual", less_than_usual: "less than usual",
    when_title: "When people write, and when they are answered", when_why: "The last 28 days, by hour and day of the week. Darker: more messages.",
    when_messages: "Messages", when_flagged: "Of these, flagged", when_answers: "Answers of people", when_cell: "{0}: {1}", zone: "Times are those of {0}.",
    no_week: "There is no week before these 24 hours to compare with yet.", no_trends: "No charts: ClickHouse does not answer.", nothing_yet: "Nothing came yet.", day: "Day", hour: "Hour", show_table: "The same as a table",
    usual: "usual",
    p0: "Danger", p1: "Urgent", p2: "Needs a person", p3: "Can wait", withdrawn: "No longer rings",
    abstained: "Not sure, you decide", unscored: "Not read", floor: "Safety rule", message: "Message", customer: "Customer",
    right: "Right", wrong: "Wrong", decide: "I decide", undo: "Undo", decision: "Decision", question: "Question",
    too_short: "too short", language: "a language it does not know", no_text: "no text", scoring_failed: "reading it failed",
    late: "Late", drill: "Drill", human: "Decided by a person", queue: "What rings now", your_word: "Your word on it",
    minutes: "Messages a minute, by priority", last_hour: "last hour", peak: "at most {0} a minute", waiting: "waiting",
    no_counts: "No counts: ClickHouse does not answer. The live queue goes on without it.",
    live: "Live", connecting: "Connecting…", lost: "Connection lost, trying again…", catching_up: "Reading the last 24 hours…",
    empty: "Nothing rings. New alerts appear here by themselves.", back: "← Back", switch_to: "Français", switch_tag: "fr",
    longest: "Longest waiting first", newest: "Newest first", no_name: "Your name", help: "Help: keyboard", sign_out: "Sign out",
    said_confirm: "Right, says {0}", said_correct: "Wrong, says {0}", said_override: "Decided by {0}",
    saving: "Saving…", saved: "Saved. Waiting for the models to learn it…", learned: "learned, {0} s", learned_plain: "learned",
    undone: "Taken back", withdrawn_long: "A person decided that this can wait.",
    gone: "This message has left the live queue.", error_409: "Somebody replaced this decision while you were looking. Look again.",
    error_0: "The console does not answer. Nothing was saved.", nothing: "Choose at least one answer.",
    asked_before: "Asked before", asked_same: "nearly the same words ({0})", asked_alike: "alike in meaning ({0})", asked_gone: "its words are no longer kept",
    asked_person: "a person marked it as resolved", asked_customer: "the customer said thanks",
    event_more: "{0} more of the same event", group_more: "{0} more of this conversation", event_hide: "Hide the other {0}", event_burst: "Incident", event_slow: "Growing for days", event_spam: "Spam wave",
    event_raid: "Raid", event_impostor: "Impostors", event_budget: "Budget spent",
    feature_language: "written in {0}", feature_sum: "the tone of its words", feature_positive: "its positive words", feature_negative: "its negative words",
    feature_last: "the tone at its end", feature_none: "no word with a tone",
    why: "Why it rang", model_why: "It rang because", rules: "Safety rules that rang", weighed: "Words that weighed",
    answers: "What the models answered", facts: "About the message", text: "Text", subject: "Subject",
    spoke_for: "for", spoke_against: "against", truncated: "The message was too long to be read in full.",
    channel: "Channel", tongue: "Language", sent: "Sent", revision: "Revision", source: "Open where it was written ({0})",
    attachments: "Attachments", public: "public", private: "private", visibility: "Visibility", model: "Model", policy: "Policy",
    sentiment: "Sentiment", urgency: "Urgent?", category: "Category", emotion: "Emotion", spam: "Spam?", abuse: "Abuse?",
    priority: "Priority", yes: "yes", no: "no", keep: "(leave: {0})", none_said: "nothing said",
    name_title: "Who is deciding?", name_why: "Your name stands beside what you say, so that others can ask you. It stays in this browser.",
    name: "Name", cancel: "Cancel", ok: "Continue", save: "Send", close: "Close",
    wrong_title: "What would be right?", wrong_why: "Change what is wrong; leave the rest. The models learn from it at once.",
    decide_title: "How urgent is it really?", help_title: "Keyboard", keys_on: "Single-key shortcuts are on",
    key_j: "next message", key_k: "previous message", key_r: "Right", key_w: "Wrong", key_d: "I decide (then 0 to 3)",
    key_u: "Undo the last you said or did about this message", key_help: "this help", key_escape: "back to the list", nothing_to_undo: "Nothing to take back here.",
    billing: "Billing", delivery: "Delivery", returns: "Returns", account: "Account", technical: "Technical", information: "Information",
    sales: "Sales", booking: "Booking", product_feedback: "Product feedback", cancellation: "Cancellation", safety: "Safety",
    legal: "Legal", privacy: "Privacy", press: "Press", other: "Other", report: "Report", event: "Event", introduction: "Introduction",
    self_promotion: "Self-promotion", chat: "Chat", community_question: "Question",
    anger: "Anger", fear: "Fear", sadness: "Sadness", disappointment: "Disappointment", confusion: "Confusion", gratitude: "Gratitude",
    joy: "Joy", none: "None", negative: "Negative", neutral: "Neutral", positive: "Positive",
  },
  fr: {
    self_harm: "Suicide, automutilation", harm_to_others: "Danger pour autrui", person_in_danger: "Quelqu'un en danger", child_in_danger: "Un enfant en danger", fire: "Feu", gas: "Gaz",
    electric_shock: "Électrocution", poisoning: "Intoxication", allergy: "Allergie", unsafe_product: "Produit dangereux", breach: "Fuite de données en cours", account_taken_over: "Compte piraté",
    fraud: "Fraude", outage: "Panne", threat: "Menace", harassment: "Harcèlement", doxxing: "Vie privée étalée", our_people: "Conduite des nôtres", impostor: "Imposteurs",
    wants_human: "Veut une personne", leaving: "S'en va", data_rights: "Droits sur les données", bereavement: "Deuil", illness: "Maladie", hardship: "Difficultés d'argent",
    violence_or_discrimination: "Violences ou discriminations subies",
    rules_page: "Règles", change_title: "Changer la politique", document: "La politique, en entier", try_on: "L'essayer sur les messages", try: "Essayer", days_7: "des 7 derniers jours", days_1: "du dernier jour",
    reason: "Pourquoi", save_policy: "Enregistrer : elle s'applique aussitôt", rang_why: "Chaque règle de sécurité, avec les phrases qui ont sonné en 28 jours telles que les clients les ont écrites, et combien de fois c'était juste, là où quelqu'un a jugé.",
    not_judged: "personne n'a jugé", never_rang: "n'a pas sonné", no_counts_here: "pas de comptes : ClickHouse ne répond pas", rang_times: "a sonné {0} fois",
    as_written: "Tel qu'écrit", rang: "A sonné", judged: "Jugé", right_share: "Juste, avec l'intervalle à 95 %", phrases_of: "{0} phrases dans la politique.", jump: "Les montrer dans le texte",
    trying: "Le passé est jugé selon les deux politiques. Rien ne sonne…", tried: "Sur {0} messages", not_whole: "Seulement la partie la plus ancienne : le reste aurait pris trop de temps.", before: "Actuelle", after: "Changée",
    rings_all: "Sonneraient", left_all: "Laissés aux personnes", precision: "Sonne à raison, de ce qui sonne", recall: "Sonne, de ce qui devrait", people_decided: "Les deux dernières lignes se fondent sur les {0} messages que des personnes ont tranchés.",
    nothing_moved: "Aucun message n'aurait une autre priorité.", some_of_them: "Quelques-uns", owner: "responsable : {0}", no_policy: "Aucune politique n'est publiée.", policy_saved: "Enregistrée. Elle s'applique.",
    trends: "Tendances", pages: "Pages", search: "Chercher dans ce qui sonne", state: "État", clear: "Effacer", found: "{0} affichés",
    all_priority: "Toutes les priorités", all_state: "Ouverts et faits", all_channel: "Tous les canaux", all_language: "Toutes les langues",
    all_category: "Toutes les catégories", state_open: "Ouverts", state_free: "Pris par personne", state_mine: "À moi", state_done: "Faits",
    none_fit: "Rien de ce qui sonne ne correspond à cette recherche.", take: "Prendre", take_over: "Reprendre", give_back: "Rendre", resolve: "Clôturer", reopen: "Rouvrir",
    taken_by: "Pris par {0}", resolved_by: "Clôturé par {0}", did_taken: "Pris : les autres le voient.", did_released: "Rendu.",
    did_resolved: "Clôturé.", did_reopened: "Rouvert.", veiled: "Texte injurieux, voilé.", unveil: "Le montrer",
    alone: "Sans les règles de sécurité, les modèles seuls auraient dit : {0}.", conversation: "La conversation", journey: "Les dernières semaines de ce client",
    journey_messages: "{0} messages en 90 jours", mood: "Le ton, du plus ancien au plus récent", deleted: "(supprimé)", protocol: "Ce que l'équipe fait maintenant", helplines: "Lignes d'aide",
    no_around: "La conversation n'est pas affichée : ClickHouse ne répond pas.",
    role_customer: "Client", role_agent: "Agent", role_bot: "Robot", role_moderator: "Modérateur",
    standing_at_risk: "Risque de partir", standing_advocate: "Parle bien de nous", standing_first_post: "Nouveau ici", standing_rising_star: "De plus en plus actif",
    standing_quotable: "Éloge à citer", standing_drifting: "S'éloigne",
    key_t: "prendre, ou rendre", key_e: "clôturer, ou rouvrir", key_v: "montrer, ou voiler, un texte injurieux", key_search: "chercher",
    hours_title: "Les 48 dernières heures, heure par heure", hours_messages: "messages", hours_negative: "négatifs", hours_positive: "positifs", hours_angry: "en colère",
    hours_urgent: "danger ou urgent", changed_title: "Ce qui a changé aujourd'hui", changed_why: "La part de chaque catégorie dans les dernières 24 heures, face aux sept jours d'avant. La barre montre où se trouve la vérité 95 fois sur 100.",
    times: "{0} fois sa part habituelle", times_between: "entre {0} et {1}", small: "petit nombre", as_usual: "comme d'habitude", more_than_usual: "plus que d'habitude", less_than_usual: "moins que d'habitude",
    when_title: "Quand on écrit, et quand on est répondu", when_why: "Les 28 derniers jours, par heure et jour de la semaine. Plus foncé : plus de messages.",
    when_messages: "Messages", when_flagged: "Dont signalés", when_answers: "Réponses de personnes", when_cell: "{0} : {1}", zone: "Les heures sont celles de {0}.",
    no_week: "Il n'y a pas encore de semaine avant ces 24 heures pour comparer.", no_trends: "Pas de graphiques : ClickHouse ne répond pas.", nothing_yet: "Rien n'est encore arrivé.", day: "Jour", hour: "Heure", show_table: "La même chose en tableau",
    usual: "habituel",
    p0: "Danger", p1: "Urgent", p2: "À traiter par quelqu'un", p3: "Peut attendre", withdrawn: "Ne sonne plus",
    abstained: "Pas sûr, à vous de juger", unscored: "Non évalué", floor: "Règle de sécurité", message: "Message", customer: "Client",
    right: "C'est juste", wrong: "C'est faux", decide: "Je tranche", undo: "Annuler", decision: "Décision", question: "Question",
    too_short: "trop court", language: "langue inconnue", no_text: "pas de texte", scoring_failed: "la lecture a échoué",
    late: "En retard", drill: "Exercice", human: "Tranché par quelqu'un", queue: "Ce qui sonne", your_word: "Votre avis",
    minutes: "Messages par minute, selon la priorité", last_hour: "dernière heure", peak: "au plus {0} par minute", waiting: "en attente",
    no_counts: "Pas de comptes : ClickHouse ne répond pas. La file en direct continue sans lui.",
    live: "En direct", connecting: "Connexion…", lost: "Connexion perdue, nouvel essai…", catching_up: "Lecture des dernières 24 heures…",
    empty: "Rien ne sonne. Les nouvelles alertes apparaissent ici d'elles-mêmes.", back: "← Retour", switch_to: "English", switch_tag: "en",
    longest: "Plus longue attente d'abord", newest: "Plus récents d'abord", no_name: "Votre nom", help: "Aide : clavier", sign_out: "Se déconnecter",
    said_confirm: "C'est juste, dit {0}", said_correct: "C'est faux, dit {0}", said_override: "Tranché par {0}",
    saving: "Envoi…", saved: "Enregistré. Les modèles vont l'apprendre…", learned: "appris, {0} s", learned_plain: "appris",
    undone: "Annulé", withdrawn_long: "Quelqu'un a tranché : cela peut attendre.",
    gone: "Ce message a quitté la file en direct.", error_409: "Cette décision a été remplacée entre-temps. Regardez à nouveau.",
    error_0: "La console ne répond pas. Rien n'a été enregistré.", nothing: "Choisissez au moins une réponse.",
    asked_before: "Déjà demandé", asked_same: "presque les mêmes mots ({0})", asked_alike: "de sens proche ({0})", asked_gone: "ses mots ne sont plus gardés",
    asked_person: "quelqu'un l'a marqué comme résolu", asked_customer: "le client a remercié",
    event_more: "{0} autres du même événement", group_more: "{0} autres de cette conversation", event_hide: "Masquer les {0} autres", event_burst: "Incident", event_slow: "Grandit depuis des jours", event_spam: "Vague d'indésirables",
    event_raid: "Raid", event_impostor: "Imposteurs", event_budget: "Budget épuisé",
    feature_language: "écrit en {0}", feature_sum: "le ton de ses mots", feature_positive: "ses mots positifs", feature_negative: "ses mots négatifs",
    feature_last: "le ton à la fin", feature_none: "aucun mot qui ait un ton",
    why: "Pourquoi cela sonne", model_why: "Cela a sonné parce que", rules: "Règles de sécurité qui ont sonné", weighed: "Mots qui ont pesé",
    answers: "Ce que les modèles ont répondu", facts: "À propos du message", text: "Texte", subject: "Objet",
    spoke_for: "pour", spoke_against: "contre", truncated: "Le message était trop long pour être lu en entier.",
    channel: "Canal", tongue: "Langue", sent: "Envoyé", revision: "Révision", source: "Ouvrir là où il a été écrit ({0})",
    attachments: "Pièces jointes", public: "public", private: "privé", visibility: "Visibilité", model: "Modèle", policy: "Politique",
    sentiment: "Sentiment", urgency: "Urgent ?", category: "Catégorie", emotion: "Émotion", spam: "Indésirable ?", abuse: "Injurieux ?",
    priority: "Priorité", yes: "oui", no: "non", keep: "(laisser : {0})", none_said: "pas de réponse",
    name_title: "Qui décide ?", name_why: "Votre nom figure à côté de votre avis, pour qu'on puisse vous demander. Il reste dans ce navigateur.",
    name: "Nom", cancel: "Annuler", ok: "Continuer", save: "Envoyer", close: "Fermer",
    wrong_title: "Qu'est-ce qui serait juste ?", wrong_why: "Changez ce qui est faux, laissez le reste. Les modèles l'apprennent aussitôt.",
    decide_title: "Quelle est la vraie priorité ?", help_title: "Clavier", keys_on: "Les raccourcis d'une touche sont actifs",
    key_j: "message suivant", key_k: "message précédent", key_r: "C'est juste", key_w: "C'est faux", key_d: "Je tranche (puis 0 à 3)",
    key_u: "annuler votre dernier avis ou geste sur ce message", key_help: "cette aide", key_escape: "retour à la liste", nothing_to_undo: "Rien à annuler ici.",
    billing: "Facturation", delivery: "Livraison", returns: "Retours", account: "Compte", technical: "Technique", information: "Renseignement",
    sales: "Vente", booking: "Réservation", product_feedback: "Avis sur le produit", cancellation: "Résiliation", safety: "Sécurité",
    legal: "Juridique", privacy: "Vie privée", press: "Presse", other: "Autre", report: "Signalement", event: "Événement", introduction: "Présentation",
    self_promotion: "Autopromotion", chat: "Discussion", community_question: "Question",
    anger: "Colère", fear: "Peur", sadness: "Tristesse", disappointment: "Déception", confusion: "Confusion", gratitude: "Gratitude",
    joy: "Joie", none: "Aucune", negative: "Négatif", neutral: "Neutre", positive: "Positif",
  },
};

export const PRIORITIES = ["p0", "p1", "p2", "p3"];
export const CATEGORIES = ["billing", "delivery", "returns", "account", "technical", "information", "sales", "booking",
  "product_feedback", "cancellation", "safety", "legal", "privacy", "press", "other"];
export const COMMUNITY = ["question", "report", "event", "introduction", "self_promotion", "chat", "other"];
export const EMOTIONS = ["anger", "fear", "sadness", "disappointment", "confusion", "gratitude", "joy", "none"];
export const SENTIMENTS = ["negative", "neutral", "positive"];

let tongue = "en";

/** Chooses the page's language: "en" or "fr". */
export function speak(wanted) {
  tongue = wanted === "fr" ? "fr" : "en";
  document.documentElement.lang = tongue;
}

export const spoken = () => tongue;

/** A word of the page, `{0}` filled in. */
export function say(word, filling) {
  const text = WORDS[tongue][word] ?? word;
  return filling === undefined ? text : text.replace("{0}", () => filling);
}

/** A label of a question; what the page has no word for (another taxonomy) is shown as it is. */
export function label(name) {
  if (typeof name === "boolean") return say(name ? "yes" : "no");
  if (name === "question") return say("community_question");
  return Object.hasOwn(WORDS[tongue], name) ? say(name) : String(name).replaceAll("_", " ");
}

/** The browser's own variety of the page's language (en-GB, fr-CA), for numbers and dates. */
const variety = () => navigator.languages.find((one) => one.split("-")[0] === tongue) ?? tongue;

/** "Not read: too short"; French sets a space before the colon. */
export const about = (what, told) => `${what}${tongue === "fr" ? "\u00a0" : ""}: ${told}`;

export function percent(share) {
  return new Intl.NumberFormat(variety(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** As it fits into a small place: "2.1K". */
export function short(value) {
  return new Intl.NumberFormat(variety(), { notation: "compact", maximumSignificantDigits: 2 }).format(value);
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(variety(), { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** "3 min": how long ago. */
export function age(milliseconds) {
  const minutes = Math.max(0, milliseconds) / 60000;
  const [value, unit] = minutes < 1 ? [minutes * 60, "second"] : minutes < 60 ? [minutes, "minute"]
    : minutes < 48 * 60 ? [minutes / 60, "hour"] : [minutes / 1440, "day"];
  return new Intl.NumberFormat(variety(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }).format(Math.floor(value));
}

/** The name of a language by its tag, in the page's language. */
export function languageName(tag) {
  if (!/^[a-z]{2,3}(-[a-z0-9]{1,8})*$/i.test(tag)) return label(tag);
  try {
    return new Intl.DisplayNames(variety(), { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

export function moment(milliseconds) {
  return new Intl.DateTimeFormat(variety(), { dateStyle: "medium", timeStyle: "medium" }).format(milliseconds);
}
