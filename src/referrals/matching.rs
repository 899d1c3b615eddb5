//! Whose referral it is: decided by a person, never by a name that looks alike (catalogue C50).

use super::referral::REFERRAL;
use crate::kernel::context::{Permission, Plane};
use crate::kernel::db::Scope;
use crate::kernel::error::{self, Error, Result};
use crate::kernel::operation::{Answer, Call, Gives, Method, Operation, Run};
use crate::kernel::table::{Draft, Field, Record, Refers, Value, store, value};
use crate::patients::patient::PATIENT;
use uuid::Uuid;

pub static MATCH_PATIENT: Operation = Operation {
    id: "matchReferralPatient",
    method: Method::Post,
    path: "/referrals/{id}/match-patient",
    tag: "Referrals and public referral links",
    doc: "Say which patient an incoming referral is about, or make one of what it says",
    takes: &[
        Field::uuid("patient_id").refers(Refers::Tenant("patients")),
        Field::flag("create").doc("make a patient of the referral's name, birth date, phone and e-mail; needs edit_patient"),
    ],
    gives: Gives::Record(&REFERRAL),
    planes: &[Plane::Staff],
    permission: Permission::EditReferral,
    run: Run::Inside(|scope, call| Box::pin(match_patient(scope, call))),
};

async fn match_patient(scope: &mut Scope, call: &Call) -> Result<Answer> {
    let keys = &call.caller.kernel.keys;
    let was = store::lock(scope, &REFERRAL, call.id()?, call.version, keys).await?;
    if was.text("referral_type") != Some("INCOMING") {
        let text = "An outgoing referral names its patient from the start.";
        return Err(Error::new(&error::CONFLICT).detail(text).fault("referral_type", "party", text));
    }
    let create = matches!(call.value("create"), Some(Value::Bool(true)));
    let patient = match (call.uuid("patient_id"), create) {
        (Some(patient), false) => existing(scope, call, patient).await?,
        (None, true) if was.uuid("patient_id").is_some() => {
            return Err(Error::new(&error::CONFLICT).detail("It has a patient already; name another record to correct it."));
        }
        (None, true) => made(scope, call, &was).await?,
        _ => {
            return Err(Error::new(&error::INVALID).fault("patient_id", "one_of", "Give either patient_id or create."));
        }
    };
    let draft = Draft::default().set(&REFERRAL, "patient_id", Value::Uuid(patient))?;
    Ok(Answer::Record(store::update(scope, &was, &draft, "match-patient", keys).await?))
}

/// A record of this clinic that is in use: neither retired nor merged into another.
async fn existing(scope: &mut Scope, call: &Call, patient: Uuid) -> Result<Uuid> {
    let unknown = || Error::new(&error::REFERENCE_UNKNOWN).fault("patient_id", "reference", "It points to nothing the caller can see.");
    let record = store::seen(scope, &PATIENT, patient, &call.caller.kernel.keys).await.map_err(|_| unknown())?;
    match record.deleted() || !record.get("merged_into_id").is_null() {
        true => Err(unknown()),
        false => Ok(record.id),
    }
}

async fn made(scope: &mut Scope, call: &Call, referral: &Record) -> Result<Uuid> {
    call.caller.needs(Permission::EditPatient)?;
    let (first, last) = parts(referral.text("patient_name").unwrap_or_default());
    let born = referral.text("patient_dob").and_then(|day| day.parse().ok()).map(Value::Date);
    let mut draft = Draft::default()
        .set(&PATIENT, "last_name", Value::Text(last))?
        .set(&PATIENT, "name_needs_review", Value::Bool(first.is_none()))?
        .set(&PATIENT, "needs_identity_check", Value::Bool(true))?;
    // What is no number or address in our form stays with the referral alone.
    let checked = |name: &str, column: &str| value::parse(PATIENT.field(column)?, referral.get(name)).ok();
    let columns = [
        ("first_name", first.map(Value::Text)),
        ("dob", born),
        ("phone_mobile", checked("patient_phone", "phone_mobile")),
        ("contact_email", checked("patient_email", "contact_email")),
    ];
    for (name, value) in columns {
        if let Some(value) = value {
            draft = draft.set(&PATIENT, name, value)?;
        }
    }
    Ok(store::insert(scope, &PATIENT, &draft, &call.caller.kernel.keys).await?.id)
}

/// First and last name of a name written as one: `Ana Maria Silva`, `Silva, Ana Maria`, `Silva`.
fn parts(name: &str) -> (Option<String>, String) {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let (first, last) = match (name.split_once(','), name.rsplit_once(' ')) {
        (Some((last, first)), _) if !last.trim().is_empty() && !first.trim().is_empty() => (first, last),
        (None, Some((first, last))) => (first, last),
        _ => ("", name.trim_matches(|c: char| c == ',' || c == ' ')),
    };
    let first = first.trim();
    ((!first.is_empty()).then(|| first.to_owned()), last.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_in_one_piece_has_its_two_halves() {
        let parts = |name| {
            let (first, last) = parts(name);
            (first.unwrap_or_default(), last)
        };
        assert_eq!(parts("Ana Maria  Silva"), ("Ana Maria".into(), "Silva".into()));
        assert_eq!(parts("Silva, Ana Maria"), ("Ana Maria".into(), "Silva".into()));
        assert_eq!(parts(" Silva "), (String::new(), "Silva".into()));
        assert_eq!(parts("Silva,"), (String::new(), "Silva".into()));
    }

    proptest! {
        #[test]
        fn no_letter_of_a_name_is_lost(name in "[A-Za-zéß]{1,9}(,? [A-Za-zéß]{1,9}){0,3}") {
            let (first, last) = parts(&name);
            let letters = |text: &str| { let mut all: Vec<char> = text.chars().filter(|c| c.is_alphabetic()).collect(); all.sort_unstable(); all };
            prop_assert_eq!(letters(&(first.unwrap_or_default() + &last)), letters(&name));
            prop_assert!(!last.is_empty());
        }
    }
}
