//! A dental claim as ASC X12N 837 (005010X224A2). Pure: what it says comes in as plain facts, what is missing is told by name.
//! The envelope's control numbers are of this copy alone; who transmits a claim gives it numbers of their own.

use crate::kernel::error::Fault;
use chrono::{DateTime, NaiveDate, Utc};
use std::fmt::Write;

#[derive(Debug, Clone, Default)]
pub struct Party {
    pub name: String,
    /// Last and first, for a person.
    pub person: Option<(String, String)>,
    pub npi: Option<String>,
    pub taxonomy: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct Service {
    pub id: String,
    pub code: String,
    pub charge: String,
    pub area: Option<String>,
    pub prosthesis: Option<&'static str>,
    pub quantity: i64,
    pub pointers: Vec<i64>,
    /// As the payer numbers teeth (JP: Universal).
    pub tooth: Option<String>,
    pub surfaces: Vec<String>,
    pub served: Option<NaiveDate>,
    pub prior_placement: Option<NaiveDate>,
}

#[derive(Debug, Clone, Default)]
pub struct Claim {
    pub number: String,
    pub total: String,
    /// 1 original, 7 replacement, 8 void.
    pub frequency: char,
    pub predetermination: bool,
    pub submitter: String,
    pub submitter_id: String,
    pub phone: Option<String>,
    pub billing: Party,
    pub tax_id: Option<String>,
    /// Street, city, state, postal code.
    pub address: [Option<String>; 4],
    pub rendering: Option<Party>,
    pub payer: String,
    pub payer_id: Option<String>,
    /// P, S or T.
    pub sequence: char,
    pub group: Option<String>,
    pub member: String,
    /// None: the patient is the subscriber.
    pub subscriber: Option<(String, Option<NaiveDate>, &'static str)>,
    pub patient: (String, String),
    pub born: Option<NaiveDate>,
    pub sex: char,
    pub accident: Option<NaiveDate>,
    pub ortho_months: Option<i64>,
    pub missing_teeth: Vec<String>,
    pub prior_authorization: Option<String>,
    pub payer_number: Option<String>,
    pub diagnoses: Vec<String>,
    pub services: Vec<Service>,
}

/// Every segment of the copy, or what a payer would miss.
pub fn render(claim: &Claim, at: DateTime<Utc>) -> Result<String, Vec<Fault>> {
    let missing = missing(claim);
    if !missing.is_empty() {
        return Err(missing);
    }
    let mut out = Out::default();
    parties(&mut out, claim, at);
    header(&mut out, claim);
    for (place, service) in claim.services.iter().enumerate() {
        line(&mut out, claim, place + 1, service);
    }
    let (day, time) = (at.format("%Y%m%d"), at.format("%H%M"));
    let (sender, receiver) = (word(&claim.submitter_id), word(claim.payer_id.as_deref().unwrap_or_default()));
    let mut text = format!(
        "ISA*00*          *00*          *ZZ*{sender:<15.15}*ZZ*{receiver:<15.15}*{}*{time}*^*00501*000000001*0*P*:~",
        at.format("%y%m%d")
    );
    let count = out.count + 1;
    // A String takes whatever is written.
    let _ =
        write!(text, "GS*HC*{sender:.15}*{receiver:.15}*{day}*{time}*1*X*005010X224A2~{}SE*{count}*0001~GE*1*1~IEA*1*000000001~", out.text);
    Ok(text)
}

fn missing(claim: &Claim) -> Vec<Fault> {
    let needs = [
        ("billing_provider_id.npi", claim.billing.npi.is_some()),
        ("payer_id.payer_identifier", claim.payer_id.is_some()),
        ("tenant.tax_id", claim.tax_id.is_some()),
        ("location_id.address", claim.address.iter().all(Option::is_some)),
        ("patient_id.dob", claim.subscriber.is_some() || claim.born.is_some()),
        ("payer_claim_number", claim.frequency == '1' || claim.payer_number.is_some()),
        ("lines", !claim.services.is_empty()),
    ];
    let named = needs.into_iter().filter(|(_, there)| !there);
    named.map(|(field, _)| Fault { field: field.to_owned(), rule: "required", text: "A payer asks for it.".to_owned() }).collect()
}

#[derive(Default)]
struct Out {
    text: String,
    count: usize,
}

impl Out {
    /// One segment; elements that are empty at its end are left out.
    fn add(&mut self, elements: &[&str]) {
        let used = elements.iter().rposition(|element| !element.is_empty()).map_or(0, |last| last + 1);
        self.text.push_str(&elements[..used].join("*"));
        self.text.push('~');
        self.count += 1;
    }
}

/// Upper case of the basic character set; what separates elements has no place inside one.
fn word(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let plain = text.nfkd().flat_map(char::to_uppercase).filter(char::is_ascii).map(|letter| match letter {
        '*' | '~' | ':' | '^' => ' ',
        letter if letter.is_ascii_control() => ' ',
        letter => letter,
    });
    plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn given(text: &Option<String>) -> String {
    text.as_deref().map(word).unwrap_or_default()
}

fn day(date: NaiveDate) -> String {
    date.format("%Y%m%d").to_string()
}

fn name(out: &mut Out, role: &str, party: &Party) {
    let npi = given(&party.npi);
    let qualifier = if npi.is_empty() { "" } else { "XX" };
    match &party.person {
        Some((last, first)) => out.add(&["NM1", role, "1", &word(last), &word(first), "", "", "", qualifier, &npi]),
        None => out.add(&["NM1", role, "2", &word(&party.name), "", "", "", "", qualifier, &npi]),
    }
}

fn demographics(out: &mut Out, born: Option<NaiveDate>, sex: char) {
    if let Some(born) = born {
        out.add(&["DMG", "D8", &day(born), &sex.to_string()]);
    }
}

/// Loops 1000, 2000A to 2000C: who sends, bills, is insured, pays and was treated.
fn parties(out: &mut Out, claim: &Claim, at: DateTime<Utc>) {
    let number = word(&claim.number);
    let payer_id = given(&claim.payer_id);
    out.add(&["ST", "837", "0001", "005010X224A2"]);
    out.add(&["BHT", "0019", "00", &number, &at.format("%Y%m%d").to_string(), &at.format("%H%M").to_string(), "CH"]);
    out.add(&["NM1", "41", "2", &word(&claim.submitter), "", "", "", "", "46", &word(&claim.submitter_id)]);
    let phone: String = given(&claim.phone).chars().filter(char::is_ascii_digit).collect();
    let reached = if phone.is_empty() { "" } else { "TE" };
    out.add(&["PER", "IC", &word(&claim.submitter), reached, &phone]);
    out.add(&["NM1", "40", "2", &word(&claim.payer), "", "", "", "", "46", &payer_id]);
    out.add(&["HL", "1", "", "20", "1"]);
    if let Some(taxonomy) = &claim.billing.taxonomy {
        out.add(&["PRV", "BI", "PXC", &word(taxonomy)]);
    }
    name(out, "85", &claim.billing);
    let [street, city, state, postal] = claim.address.each_ref().map(given);
    out.add(&["N3", &street]);
    out.add(&["N4", &city, &state, &postal]);
    out.add(&["REF", "EI", &given(&claim.tax_id)]);
    let dependant = claim.subscriber.is_some();
    out.add(&["HL", "2", "1", "22", if dependant { "1" } else { "0" }]);
    out.add(&["SBR", &claim.sequence.to_string(), if dependant { "" } else { "18" }, &given(&claim.group), "", "", "", "", "", "CI"]);
    let (last, first) = (word(&claim.patient.0), word(&claim.patient.1));
    match &claim.subscriber {
        Some((subscriber, born, _)) => {
            out.add(&["NM1", "IL", "1", &word(subscriber), "", "", "", "", "MI", &word(&claim.member)]);
            demographics(out, *born, 'U');
        }
        None => {
            out.add(&["NM1", "IL", "1", &last, &first, "", "", "", "MI", &word(&claim.member)]);
            demographics(out, claim.born, claim.sex);
        }
    }
    out.add(&["NM1", "PR", "2", &word(&claim.payer), "", "", "", "", "PI", &payer_id]);
    if let Some((_, _, relation)) = &claim.subscriber {
        out.add(&["HL", "3", "2", "23", "0"]);
        out.add(&["PAT", relation]);
        out.add(&["NM1", "QC", "1", &last, &first]);
        demographics(out, claim.born, claim.sex);
    }
}

/// Loop 2300.
fn header(out: &mut Out, claim: &Claim) {
    let place = format!("11:B:{}", claim.frequency);
    let mut elements = vec!["CLM", &claim.number, &claim.total, "", "", &place, "Y", "A", "Y", "Y"];
    if claim.predetermination {
        elements.resize(19, "");
        elements.push("PB");
    }
    out.add(&elements);
    if let Some(accident) = claim.accident {
        out.add(&["DTP", "439", "D8", &day(accident)]);
    }
    if let Some(months) = claim.ortho_months {
        out.add(&["DN1", "", &months.to_string()]);
    }
    for tooth in &claim.missing_teeth {
        out.add(&["DN2", tooth, "M", "", "", "", "JP"]);
    }
    for (qualifier, text) in [("G1", &claim.prior_authorization), ("F8", &claim.payer_number)] {
        if text.is_some() {
            out.add(&["REF", qualifier, &given(text)]);
        }
    }
    if let [first, others @ ..] = claim.diagnoses.as_slice() {
        let codes = std::iter::once(format!("ABK:{first}")).chain(others.iter().map(|code| format!("ABF:{code}")));
        let all: Vec<String> = std::iter::once("HI".to_owned()).chain(codes).collect();
        out.add(&all.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if let Some(rendering) = &claim.rendering {
        name(out, "82", rendering);
    }
}

/// Loop 2400.
fn line(out: &mut Out, claim: &Claim, place: usize, service: &Service) {
    out.add(&["LX", &place.to_string()]);
    let code = format!("AD:{}", word(&service.code));
    let pointers = service.pointers.iter().map(i64::to_string).collect::<Vec<_>>().join(":");
    let quantity = service.quantity.to_string();
    let area = given(&service.area);
    out.add(&["SV3", &code, &service.charge, "", &area, service.prosthesis.unwrap_or_default(), &quantity, "", "", "", "", &pointers]);
    if let Some(tooth) = &service.tooth {
        out.add(&["TOO", "JP", tooth, &service.surfaces.join(":")]);
    }
    if let Some(served) = service.served.filter(|_| !claim.predetermination) {
        out.add(&["DTP", "472", "D8", &day(served)]);
    }
    if let Some(placed) = service.prior_placement {
        out.add(&["DTP", "441", "D8", &day(placed)]);
    }
    out.add(&["REF", "6R", &service.id]);
}

/// Minor units as X12 writes amounts: no blanks, no zeros that say nothing.
pub fn amount(minor: i64, digits: u32) -> String {
    let scale = 10i64.pow(digits);
    let (whole, part) = (minor / scale, minor % scale);
    let text = if digits == 0 { whole.to_string() } else { format!("{whole}.{part:0width$}", width = digits as usize) };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim() -> Claim {
        Claim {
            number: "C260601-ABCDEF1234".into(),
            total: "100".into(),
            frequency: '1',
            submitter: "Zahn & Söhne*".into(),
            submitter_id: "zahn-soehne".into(),
            phone: Some("+49421123".into()),
            billing: Party { name: "Zahn".into(), npi: Some("1234567893".into()), ..Party::default() },
            tax_id: Some("12-3456789".into()),
            address: ["Street 1", "Bremen", "HB", "28195"].map(|text| Some(text.to_owned())),
            payer: "Sure Dental".into(),
            payer_id: Some("SURE1".into()),
            sequence: 'P',
            member: "P-1".into(),
            patient: ("Silva".into(), "Ana".into()),
            born: "1980-02-29".parse().ok(),
            sex: 'F',
            diagnoses: vec!["K02".into(), "K04".into()],
            services: vec![Service {
                id: "L1".into(),
                code: "T1234".into(),
                charge: "100".into(),
                quantity: 1,
                pointers: vec![1, 2],
                tooth: Some("19".into()),
                surfaces: vec!["M".into(), "O".into()],
                served: "2026-03-01".parse().ok(),
                ..Service::default()
            }],
            ..Claim::default()
        }
    }

    fn segments(text: &str) -> Vec<&str> {
        text.trim_end_matches('~').split('~').collect()
    }

    #[test]
    fn the_envelope_counts_what_it_holds() {
        let text = render(&claim(), Utc::now()).unwrap();
        assert_eq!(text.find('~'), Some(105), "ISA has 106 bytes");
        let all = segments(&text);
        let (st, se) = (all.iter().position(|s| s.starts_with("ST*")).unwrap(), all.iter().position(|s| s.starts_with("SE*")).unwrap());
        assert_eq!(all[se], format!("SE*{}*0001", se - st + 1));
        for wanted in [
            "CLM*C260601-ABCDEF1234*100***11:B:1*Y*A*Y*Y",
            "SV3*AD:T1234*100****1*****1:2",
            "TOO*JP*19*M:O",
            "DTP*472*D8*20260301",
            "HI*ABK:K02*ABF:K04",
            "NM1*IL*1*SILVA*ANA****MI*P-1",
            "DMG*D8*19800229*F",
            "PER*IC*ZAHN & SOHNE*TE*49421123",
        ] {
            assert!(all.contains(&wanted), "{wanted} in {all:#?}");
        }
    }

    #[test]
    fn a_pre_determination_has_no_day_and_says_so() {
        let text = render(&Claim { predetermination: true, ..claim() }, Utc::now()).unwrap();
        assert!(!text.contains("DTP*472") && text.contains("*PB~"));
        let clm = segments(&text).into_iter().find(|segment| segment.starts_with("CLM")).unwrap();
        assert_eq!(clm.split('*').count(), 20, "CLM19 is its last element");
    }

    #[test]
    fn what_a_payer_would_miss_is_named() {
        let bare = Claim { frequency: '7', ..Claim::default() };
        let fields: Vec<String> = render(&bare, Utc::now()).unwrap_err().into_iter().map(|fault| fault.field).collect();
        assert_eq!(fields.len(), 7, "{fields:?}");
        assert!(fields.contains(&"payer_claim_number".to_owned()));
    }

    proptest! {
        /// No name can break a segment out of its element.
        #[test]
        fn names_stay_in_their_place(last in "\\PC{0,40}", first in "\\PC{0,40}") {
            let plain = segments(&render(&claim(), Utc::now()).unwrap()).len();
            let text = render(&Claim { patient: (last.clone(), first), payer: last.clone(), submitter: last, ..claim() }, Utc::now()).unwrap();
            prop_assert_eq!(segments(&text).len(), plain);
        }
        #[test]
        fn amounts_say_what_they_are(minor in 0..1_000_000_000i64, digits in 0..4u32) {
            let text = amount(minor, digits);
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert_eq!(format!("{whole}{part:0<width$}", width = digits as usize).parse::<i64>().unwrap(), minor);
        }
    }
}
