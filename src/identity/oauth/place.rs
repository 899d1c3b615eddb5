//! In which tenant an application of a vendor acts: many have admitted it, under one public id. What it shows was given to it in
//! one of them and decides; else it names the tenant by `audience`, as for an exchanged token; else somebody is signed in somewhere.

use super::Form;
use super::handle::URN;
use crate::identity::token::{Kind, Token, TokenHash};
use uuid::Uuid;

/// What a tenant has given an application, and how it comes back.
const GIVEN: [(&str, Kind); 7] = [
    ("code", Kind::Code),
    ("refresh_token", Kind::Refresh),
    ("subject_token", Kind::Access),
    ("token", Kind::Access),
    ("token", Kind::Refresh),
    ("launch", Kind::Launch),
    ("request_uri", Kind::Pushed),
];

#[derive(Default)]
pub struct Place {
    pub shown: Option<TokenHash>,
    /// By its id or slug.
    pub named: Option<String>,
    pub here: Option<Uuid>,
}

impl Place {
    pub fn of(form: &Form) -> Place {
        let given = |(name, kind): (&str, Kind)| {
            let text = form.get(name)?;
            Token::parse(kind, text.strip_prefix(URN).unwrap_or(text)).map(|token| token.hash())
        };
        // Of an exchange, `audience` is where to.
        let named = form.get("audience").filter(|_| form.get("subject_token").is_none());
        Place { shown: GIVEN.into_iter().find_map(given), named: named.map(str::to_owned), here: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_told_from_what_is_named() {
        let place = |text: &str| Place::of(&Form::parse(text.as_bytes()).unwrap());
        let token = Token::new(Kind::Pushed).unwrap();
        let shown = place(&format!("request_uri=urn%3Aietf%3Aparams%3Aoauth%3Arequest_uri%3A{}&audience=oak", token.expose()));
        assert!(shown.shown.is_some_and(|shown| shown == token.hash()) && shown.named.as_deref() == Some("oak"));
        let other = place(&format!("code={}", token.expose()));
        assert!(other.shown.is_none() && other.named.is_none(), "one kind never passes for another");
    }
}
