//! What the page says on which an application is let in, a language each.

use super::scope::{self, Level, Resource};

pub struct Consent {
    pub allow_access: &'static str,
    pub patient: &'static str,
    pub find: &'static str,
    pub nobody_found: &'static str,
    /// Behind the application's name.
    pub asks_for_one: &'static str,
    pub record_of: &'static str,
    /// Behind the application's name.
    pub asks: &'static str,
    pub allow: &'static str,
    pub deny: &'static str,
    /// In the order of [`scope::PLAIN`].
    plain: [&'static str; 9],
    /// To see, to change, to delete, and the word between them.
    verbs: [&'static str; 3],
    and: &'static str,
    every_kind: &'static str,
    /// `{}` is the kind.
    of_a_kind: &'static str,
    of_the_patient: &'static str,
    of_ones_own: &'static str,
    /// `{}` is the search.
    only: &'static str,
    /// `{does}`, `{what}` and `{whose}`, in the order of the language.
    sentence: &'static str,
}

impl Consent {
    /// What a scope lets an application do, for people.
    pub fn label(&self, word: &str) -> String {
        let plain = scope::PLAIN.iter().position(|known| *known == word).and_then(|place| self.plain.get(place));
        let Some(resource) = Resource::parse(word) else { return plain.copied().unwrap_or_default().to_owned() };
        let may = [resource.may('r') || resource.may('s'), resource.may('c') || resource.may('u'), resource.may('d')];
        let verbs: Vec<&str> = self.verbs.iter().zip(may).filter(|(_, may)| *may).map(|(verb, _)| *verb).collect();
        let what = if resource.kind == "*" { self.every_kind.to_owned() } else { self.of_a_kind.replace("{}", resource.kind) };
        let whose = if resource.level == Level::Patient { self.of_the_patient } else { self.of_ones_own };
        let only = resource.query.map(|query| self.only.replace("{}", query)).unwrap_or_default();
        let said = self.sentence.replace("{does}", &verbs.join(self.and)).replace("{what}", &what).replace("{whose}", whose) + &only;
        let mut letters = said.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
    }
}

pub static ENGLISH: Consent = Consent {
    allow_access: "Allow access",
    patient: "Patient",
    find: "Find",
    nobody_found: "Nobody was found by that name.",
    asks_for_one: "asks for one patient: look for them by the first or the last name.",
    record_of: "For the record of",
    asks: "asks to act for you. Untick what you do not allow.",
    allow: "Allow",
    deny: "Deny",
    plain: [
        "Know that it is you who signed in",
        "Know who you are in this clinic",
        "Know your name and language",
        "Know your e-mail address",
        "Go on when you are not there, for 30 days at most",
        "Go on while you are signed in",
        "Know what you were looking at when you opened it",
        "Know which patient you choose",
        "Know which visit you were looking at",
    ],
    verbs: ["see", "change", "delete"],
    and: " and ",
    every_kind: "records of every kind",
    of_a_kind: "{} records",
    of_the_patient: " of this patient",
    of_ones_own: " that you may see yourself",
    only: ", only those with {}",
    sentence: "{does} {what}{whose}",
};

pub static GERMAN: Consent = Consent {
    allow_access: "Zugriff erlauben",
    patient: "Patient",
    find: "Suchen",
    nobody_found: "Unter diesem Namen wurde niemand gefunden.",
    asks_for_one: "fragt nach einem Patienten: Suchen Sie nach Vor- oder Nachnamen.",
    record_of: "Für die Akte von",
    asks: "möchte für Sie handeln. Entfernen Sie das Häkchen bei allem, was Sie nicht erlauben.",
    allow: "Erlauben",
    deny: "Ablehnen",
    plain: [
        "Wissen, dass Sie es sind, der sich angemeldet hat",
        "Wissen, wer Sie in dieser Praxis sind",
        "Ihren Namen und Ihre Sprache kennen",
        "Ihre E-Mail-Adresse kennen",
        "Weitermachen, wenn Sie nicht da sind, höchstens 30 Tage lang",
        "Weitermachen, solange Sie angemeldet sind",
        "Wissen, was Sie beim Öffnen vor sich hatten",
        "Wissen, welchen Patienten Sie auswählen",
        "Wissen, welchen Besuch Sie vor sich hatten",
    ],
    verbs: ["sehen", "ändern", "löschen"],
    and: " und ",
    every_kind: "Daten jeder Art",
    of_a_kind: "Daten der Art {}",
    of_the_patient: " dieses Patienten",
    of_ones_own: ", die Sie selbst sehen dürfen,",
    only: ", nur solche mit {}",
    sentence: "{what}{whose} {does}",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_told_in_words() {
        for (word, english, german) in [
            (
                "user/Patient.cruds",
                "See and change and delete Patient records that you may see yourself",
                "Daten der Art Patient, die Sie selbst sehen dürfen, sehen und ändern und löschen",
            ),
            ("patient/*.rs", "See records of every kind of this patient", "Daten jeder Art dieses Patienten sehen"),
            (
                "patient/Condition.r?category=a",
                "See Condition records of this patient, only those with category=a",
                "Daten der Art Condition dieses Patienten sehen, nur solche mit category=a",
            ),
            ("openid", "Know that it is you who signed in", "Wissen, dass Sie es sind, der sich angemeldet hat"),
        ] {
            assert_eq!((ENGLISH.label(word).as_str(), GERMAN.label(word).as_str()), (english, german));
        }
        assert!([&ENGLISH, &GERMAN].iter().all(|words| scope::PLAIN.iter().all(|word| !words.label(word).is_empty())));
    }
}
