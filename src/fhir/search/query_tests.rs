use super::*;
use crate::fhir::registry::tests::PATIENT;
use chrono::DateTime;
use proptest::prelude::*;

pub fn rules(handling: Handling) -> Rules<'static> {
    let reading = Reading { base: "https://enamel.test/fhir/r4", now: DateTime::UNIX_EPOCH };
    Rules {
        type_name: "Patient",
        params: PATIENT.search,
        handling,
        count_default: 20,
        count_max: 200,
        reading,
        others: |name| (name == "Patient").then_some(&PATIENT),
    }
}

fn lenient(text: &str) -> Result<Query> {
    parse(text, &rules(Handling::Lenient))
}

fn refused(text: &str) -> String {
    let error = lenient(text).unwrap_err();
    assert_eq!(error.code.status, 400, "{text}");
    error.faults.first().map_or(error.code.code.into(), |fault| format!("{} {}", fault.field, fault.rule))
}

#[test]
fn what_a_date_leaves_is_known() {
    let now = DateTime::parse_from_rfc3339("2025-07-10T12:00:00Z").unwrap().to_utc();
    for (text, is_a_month) in [
        ("birthdate=2019-02", true),
        ("birthdate=2019", false),
        ("birthdate=ge2025-07-01", true),
        ("birthdate=gt2031", true),
        ("birthdate=ge2031&birthdate=lt2034", true),
        ("birthdate=ge2025-05-01", false),
        ("birthdate=ge2019-03-01&birthdate=lt2019-04-01", true),
        ("birthdate=lt2019-04-01&birthdate=ge2018-03-01&birthdate=ge2019-03-01", true),
        ("birthdate=ge2019-03-01&birthdate=lt2019-05-01", false),
        ("birthdate=lt2019-04-01", false),
        ("birthdate=ne2019-04-01", false),
        ("birthdate=2019-02,2018", false),
        ("name=2019-02", false),
        ("_lastUpdated=ge2025-07-10&name=a", true),
    ] {
        let left = lenient(text).unwrap().time_left(now);
        assert_eq!(left.is_some_and(|left| left <= TimeDelta::days(31)), is_a_month, "{text}");
        assert_eq!(left.is_some(), !text.starts_with("name="), "{text}");
    }
}

#[test]
fn a_search_is_read_whole() {
    let query = lenient(
        "name=Jo,Ann&name:exact=X&identifier:not=s%7C1&birthdate=ge1990&birthdate=lt2000&_id=1,2&_count=5000\
        &_sort=-birthdate,name&_summary=data&_total=accurate&_elements=resourceType,name,birthDate&_pretty=true&_format=json&_cursor=ab-C_1",
    )
    .unwrap();
    let shown: Vec<String> = query.conditions.iter().map(|c| format!("{} {:?} {}", c.param.name, c.modifier, c.any_of.len())).collect();
    assert_eq!(
        shown,
        ["name None 2", "name Some(Exact) 1", "identifier Some(Not) 1", "birthdate None 1", "birthdate None 1", "_id None 2"]
    );
    assert_eq!(query.count, 200);
    assert_eq!(query.sort.iter().map(|s| (s.param.name, s.is_descending)).collect::<Vec<_>>(), [("birthdate", true), ("name", false)]);
    assert_eq!(
        (query.summary, query.total, query.is_pretty, query.cursor.as_deref()),
        (Some(Summary::Data), Total::Accurate, true, Some("ab-C_1"))
    );
    assert_eq!(query.elements, ["name", "birthDate"]);
    assert!(query.applied.contains(&("_count".into(), "200".into())));
    assert!(lenient("_count=0").unwrap().is_count_only() && lenient("_summary=count").unwrap().is_count_only());
}

#[test]
fn an_unknown_parameter_is_named_or_passed_over() {
    let error = parse("foo=1", &rules(Handling::Strict)).unwrap_err();
    assert_eq!((error.faults[0].field.as_str(), error.faults[0].rule), ("foo", "not-supported"));
    assert_eq!(parse("_sort=foo", &rules(Handling::Strict)).unwrap_err().faults[0].field, "_sort");
    assert!(parse("_sort=identifier", &rules(Handling::Strict)).is_err());
    let query = lenient("foo=1&name=a&_sort=foo,-name").unwrap();
    assert_eq!(query.ignored, ["foo", "_sort"]);
    assert_eq!(query.applied, [("name".into(), "a".into()), ("_sort".into(), "-name".into())]);
    assert_eq!(lenient("Jane%20Doe=1").unwrap().ignored, ["?"]);
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    for (text, told) in [
        ("birthdate=foo", "birthdate format"),
        ("_count=-1", "_count format"),
        ("_count=1&_count=2", "_count cardinality"),
        ("name:text=a", "name:text not-supported"),
        ("birthdate:exact=true", "birthdate:exact not-supported"),
        ("organization.name=a", "organization.name not-supported"),
        ("organization:Organization.name=a", "organization:Organization.name not-supported"),
        ("_has:Observation:patient:code=1", "_has:Observation:patient:code not-supported"),
        ("_filter=x", "_filter format"),
        ("organization=Practitioner/1", "organization format"),
        ("organization:Practitioner=1", "organization:Practitioner not-supported"),
        ("name=", "name format"),
        ("name=a,", "name format"),
        ("_total=some", "_total code"),
        ("_summary=x", "_summary code"),
        ("_elements=foo", "_elements unknown"),
        ("_cursor=%22", "_cursor format"),
        ("name=%ff", "body.malformed"),
    ] {
        assert_eq!(refused(text), told, "{text}");
    }
    assert_eq!(refused(&format!("name={}", "a,".repeat(10_000))), "parameter.too_costly");
    assert_eq!(refused(&format!("name={}", "a".repeat(70_000))), "parameter.too_costly");
    assert!(lenient("general-practitioner:Practitioner=1").is_ok());
}

proptest! {
    #[test]
    fn any_query_is_answered(text in "(name|identifier|birthdate|organization|_sort|_count|_id|foo)(:exact|:not|:x)?=[a-z0-9%|,\\\\:/.+-]{0,12}(&[a-z_=%]{0,9}){0,3}") {
        for handling in [Handling::Strict, Handling::Lenient] {
            if let Err(error) = parse(&text, &rules(handling)) {
                prop_assert!((400..500).contains(&error.code.status));
            }
        }
    }
    #[test]
    fn the_self_link_asks_the_same_again(name in "[a-zA-Zéø ]{1,8}", code in "[a-z0-9]{1,5}", year in 1900..2100i32, count in 0..500usize) {
        let text = form::encode([("name", name.as_str()), ("identifier", &format!("http://s|{code}")), ("birthdate", &format!("ge{year}")), ("foo", "x"), ("_count", &count.to_string())]);
        let first = lenient(&text).unwrap();
        let again = lenient(&form::encode(first.applied.iter().map(|(n, v)| (n.as_str(), v.as_str())))).unwrap();
        prop_assert_eq!(Query { ignored: vec![], ..first }, again);
    }
}
