//! The words of the pages, a language each. Another language is one more value of [`Words`]: the compiler says what it lacks.

use crate::kernel::error::{self, Code};

pub struct Words {
    /// BCP 47.
    pub lang: &'static str,
    pub sign_in: &'static str,
    pub sign_in_to: &'static str,
    pub to_continue_to: &'static str,
    pub email: &'static str,
    pub password: &'static str,
    pub sign_in_with: &'static str,
    pub sign_in_with_passkey: &'static str,
    pub signed_in: &'static str,
    pub close_page: &'static str,
    pub sign_out: &'static str,
    pub one_more_step: &'static str,
    pub enter_code: &'static str,
    pub code: &'static str,
    pub remember_browser: &'static str,
    pub go_on: &'static str,
    pub use_passkey: &'static str,
    pub enrol: &'static str,
    pub enrol_needed: &'static str,
    pub scan: &'static str,
    pub type_secret: &'static str,
    pub qr: &'static str,
    pub confirm_code: &'static str,
    pub make_passkey: &'static str,
    pub passkey_is: &'static str,
    pub passkey_failed: &'static str,
    pub codes: &'static str,
    pub keep_codes: &'static str,
    pub security: &'static str,
    pub factors: &'static str,
    pub no_factors: &'static str,
    pub authenticator: &'static str,
    pub passkey: &'static str,
    pub kind: &'static str,
    pub name: &'static str,
    pub added: &'static str,
    pub last_used: &'static str,
    pub never: &'static str,
    pub remove: &'static str,
    pub add_authenticator: &'static str,
    pub new_codes: &'static str,
    pub sessions: &'static str,
    pub browser: &'static str,
    pub address: &'static str,
    pub last_seen: &'static str,
    pub this_one: &'static str,
    pub end: &'static str,
    pub remembered: &'static str,
    pub sign_out_everywhere: &'static str,
    credentials: &'static str,
    code_wrong: &'static str,
    many: &'static str,
    busy: &'static str,
    stale: &'static str,
}

impl Words {
    /// What went wrong, as people are told; nothing that the table of errors does not tell programs.
    pub fn notice(&self, code: &'static Code) -> &'static str {
        [
            (&error::CREDENTIALS_WRONG, self.credentials),
            (&error::INVALID, self.code_wrong),
            (&error::RATE_LIMITED, self.many),
            (&error::SIGN_IN_BUSY, self.busy),
            (&error::FORBIDDEN, self.stale),
        ]
        .into_iter()
        .find_map(|(known, text)| (std::ptr::eq(known, code)).then_some(text))
        .unwrap_or(code.title)
    }
}

pub static LANGUAGES: &[&Words] = &[&ENGLISH, &GERMAN];

/// The first language of ours that is asked for, as in `Accept-Language`; else what the clinic speaks; else English.
pub fn best(asked: &str, clinic: Option<&str>) -> &'static Words {
    let wanted = asked.split(',').filter(|part| !part.replace(' ', "").ends_with(";q=0"));
    wanted.chain(clinic).find_map(known).unwrap_or(&ENGLISH)
}

fn known(tag: &str) -> Option<&'static Words> {
    let primary = tag.split([';', '-', '_']).next().unwrap_or_default().trim();
    LANGUAGES.iter().copied().find(|words| words.lang.eq_ignore_ascii_case(primary))
}

static ENGLISH: Words = Words {
    lang: "en",
    sign_in: "Sign in",
    sign_in_to: "to",
    to_continue_to: "to continue to",
    email: "E-mail",
    password: "Password",
    sign_in_with: "Sign in with",
    sign_in_with_passkey: "Sign in with a passkey",
    signed_in: "Signed in",
    close_page: "You can close this page.",
    sign_out: "Sign out",
    one_more_step: "One more step",
    enter_code: "Enter the code your authenticator shows now, or one of your recovery codes.",
    code: "Code",
    remember_browser: "Do not ask again in this browser for 30 days",
    go_on: "Continue",
    use_passkey: "Use a passkey",
    enrol: "Add a second factor",
    enrol_needed: "Your clinic asks for a second factor. Add one now; you will need it at every sign-in.",
    scan: "Scan this with an authenticator app on your telephone.",
    type_secret: "Or type this key into the app:",
    qr: "QR code for your authenticator app",
    confirm_code: "Code the app shows now",
    make_passkey: "Make a passkey",
    passkey_is: "A passkey is kept by your device and opened by your fingerprint, face or PIN.",
    passkey_failed: "The passkey was not made or not used. Please try again.",
    codes: "Your recovery codes",
    keep_codes: "Keep these in a safe place: each opens your account once when your telephone is lost. They are shown only now, and earlier ones are void.",
    security: "Your sign-in",
    factors: "Second factors",
    no_factors: "You have no second factor.",
    authenticator: "Authenticator app",
    passkey: "Passkey",
    kind: "Kind",
    name: "Name",
    added: "Added",
    last_used: "Last used",
    never: "never",
    remove: "Remove",
    add_authenticator: "Add an authenticator app",
    new_codes: "Make new recovery codes",
    sessions: "Where you are signed in",
    browser: "Browser or program",
    address: "Address",
    last_seen: "Last seen",
    this_one: "this one",
    end: "Sign out",
    remembered: "Browsers that are not asked for a second factor:",
    sign_out_everywhere: "Sign out everywhere",
    credentials: "The credentials are not right.",
    code_wrong: "That was not right. Please try again.",
    many: "Too many tries. Please wait a little.",
    busy: "Too many sign-ins at this moment. Please try again.",
    stale: "This took too long. Please begin again.",
};

static GERMAN: Words = Words {
    lang: "de",
    sign_in: "Anmelden",
    sign_in_to: "bei",
    to_continue_to: "weiter zu",
    email: "E-Mail",
    password: "Passwort",
    sign_in_with: "Anmelden mit",
    sign_in_with_passkey: "Mit Passkey anmelden",
    signed_in: "Angemeldet",
    close_page: "Sie können diese Seite schließen.",
    sign_out: "Abmelden",
    one_more_step: "Noch ein Schritt",
    enter_code: "Geben Sie den Code ein, den Ihre Authenticator-App jetzt zeigt, oder einen Ihrer Wiederherstellungscodes.",
    code: "Code",
    remember_browser: "In diesem Browser 30 Tage lang nicht mehr fragen",
    go_on: "Weiter",
    use_passkey: "Passkey verwenden",
    enrol: "Zweiten Faktor einrichten",
    enrol_needed: "Ihre Praxis verlangt einen zweiten Faktor. Richten Sie ihn jetzt ein; er wird bei jeder Anmeldung gebraucht.",
    scan: "Scannen Sie dies mit einer Authenticator-App auf Ihrem Telefon.",
    type_secret: "Oder geben Sie diesen Schlüssel in die App ein:",
    qr: "QR-Code für Ihre Authenticator-App",
    confirm_code: "Code, den die App jetzt zeigt",
    make_passkey: "Passkey erstellen",
    passkey_is: "Ein Passkey liegt auf Ihrem Gerät und öffnet sich mit Fingerabdruck, Gesicht oder PIN.",
    passkey_failed: "Der Passkey wurde nicht erstellt oder nicht verwendet. Bitte versuchen Sie es noch einmal.",
    codes: "Ihre Wiederherstellungscodes",
    keep_codes: "Bewahren Sie diese sicher auf: Jeder öffnet Ihr Konto einmal, wenn das Telefon verloren ist. Sie werden nur jetzt gezeigt; frühere gelten nicht mehr.",
    security: "Ihre Anmeldung",
    factors: "Zweite Faktoren",
    no_factors: "Sie haben keinen zweiten Faktor.",
    authenticator: "Authenticator-App",
    passkey: "Passkey",
    kind: "Art",
    name: "Name",
    added: "Eingerichtet",
    last_used: "Zuletzt verwendet",
    never: "nie",
    remove: "Entfernen",
    add_authenticator: "Authenticator-App hinzufügen",
    new_codes: "Neue Wiederherstellungscodes erstellen",
    sessions: "Wo Sie angemeldet sind",
    browser: "Browser oder Programm",
    address: "Adresse",
    last_seen: "Zuletzt gesehen",
    this_one: "hier",
    end: "Abmelden",
    remembered: "Browser, die nicht nach dem zweiten Faktor gefragt werden:",
    sign_out_everywhere: "Überall abmelden",
    credentials: "Die Anmeldedaten stimmen nicht.",
    code_wrong: "Das stimmte nicht. Bitte versuchen Sie es noch einmal.",
    many: "Zu viele Versuche. Bitte warten Sie ein wenig.",
    busy: "Im Augenblick melden sich zu viele an. Bitte versuchen Sie es noch einmal.",
    stale: "Das hat zu lange gedauert. Bitte beginnen Sie von vorn.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_we_speak_is_taken() {
        for (asked, clinic, lang) in [
            ("de-AT,de;q=0.9,en;q=0.8", None, "de"),
            ("fr, en-GB;q=0.5, de;q=0.3", Some("de"), "en"),
            ("fr", Some("de-CH"), "de"),
            ("de;q=0, fr", None, "en"),
            ("", Some("fr"), "en"),
        ] {
            assert_eq!(best(asked, clinic).lang, lang, "{asked} {clinic:?}");
        }
    }
}
