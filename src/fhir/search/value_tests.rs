use super::*;
use proptest::prelude::*;

const READING: Reading<'_> = Reading { base: "https://enamel.test/fhir/r4", now: DateTime::UNIX_EPOCH };

fn one(param: &SearchParam, raw: &str) -> Result<Value, &'static str> {
    read(param, None, None, raw, &READING)
}

#[test]
fn a_token_has_four_forms_and_escapes() {
    let param = SearchParam::token("identifier");
    let shown = |raw: &str| match one(&param, raw) {
        Ok(Value::Token(token)) => format!("{:?} {:?}", token.system, token.code),
        other => format!("{other:?}"),
    };
    assert_eq!(shown("a"), "Any Some(\"a\")");
    assert_eq!(shown("s|a"), "Is(\"s\") Some(\"a\")");
    assert_eq!(shown("|a"), "None Some(\"a\")");
    assert_eq!(shown("s|"), "Is(\"s\") None");
    assert_eq!(shown(r"s\|t|a\,b\$c\\d\e"), r#"Is("s|t") Some("a,b$c\\d\\e")"#);
    for bad in ["", "|", "a|b|c"] {
        assert!(one(&param, bad).is_err(), "{bad}");
    }
}

#[test]
fn a_reference_has_three_forms() {
    let one_target = SearchParam::reference("organization", &["Organization"]);
    let two = SearchParam::reference("general-practitioner", &["Practitioner", "Organization"]);
    let local = |type_name, id: &str| Ok(Value::Reference(ReferenceValue::Local { type_name, id: id.into() }));
    assert_eq!(one(&one_target, "1"), local(Some("Organization"), "1"));
    assert_eq!(one(&two, "1"), local(None, "1"));
    assert_eq!(one(&two, "Practitioner/1"), local(Some("Practitioner"), "1"));
    assert_eq!(one(&two, "https://enamel.test/fhir/r4/Practitioner/1"), local(Some("Practitioner"), "1"));
    assert_eq!(read(&two, None, Some("Practitioner"), "1", &READING), local(Some("Practitioner"), "1"));
    assert_eq!(
        one(&two, "https://x.test/Practitioner/1"),
        Ok(Value::Reference(ReferenceValue::Foreign("https://x.test/Practitioner/1".into())))
    );
    for bad in ["Patient/1", "#a", "a b", "Practitioner/1/_history/2"] {
        assert!(one(&two, bad).is_err(), "{bad}");
    }
}

#[test]
fn a_string_is_compared_as_its_modifier_says() {
    let param = SearchParam::string("name");
    assert_eq!(one(&param, r"Mül\,"), Ok(Value::Text(Text::StartsWith("Mül,".into()))));
    let modified = |modifier| read(&param, Some(modifier), None, "Mül", &READING);
    assert_eq!(modified(Modifier::Exact), Ok(Value::Text(Text::Exact("Mül".into()))));
    assert_eq!(modified(Modifier::Contains), Ok(Value::Text(Text::Contains("Mül".into()))));
    assert_eq!(modified(Modifier::Missing), Err("The value must be true or false."));
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn holds(test: &DateTest, target: (i64, i64)) -> bool {
    let edge = |edge: &Edge| {
        let own = at(match edge.edge {
            Side::Start => target.0,
            Side::End => target.1,
        });
        match edge.compare {
            Compare::Lt => own < edge.at,
            Compare::Le => own <= edge.at,
            Compare::Gt => own > edge.at,
            Compare::Ge => own >= edge.at,
        }
    };
    match test {
        DateTest::All(edges) => edges.iter().all(edge),
        DateTest::Any(edges) => edges.iter().any(edge),
    }
}

/// The definitions of R4 §3.1.1.4.7 over whole seconds, word by word.
fn meant(prefix: Prefix, s: (i64, i64), t: (i64, i64)) -> bool {
    let contains = s.0 <= t.0 && t.1 <= s.1;
    let above_intersects = (t.0..t.1).any(|x| x >= s.1);
    let below_intersects = (t.0..t.1).any(|x| x < s.0);
    match prefix {
        Prefix::Eq => contains,
        Prefix::Ne => !contains,
        Prefix::Gt => above_intersects,
        Prefix::Lt => below_intersects,
        Prefix::Ge => above_intersects || contains,
        Prefix::Le => below_intersects || contains,
        Prefix::Sa => (t.0..t.1).all(|x| x >= s.1),
        Prefix::Eb => (t.0..t.1).all(|x| x < s.0),
        Prefix::Ap => (t.0..t.1).any(|x| (s.0..s.1).contains(&x)),
    }
}

proptest! {
    #[test]
    fn a_prefix_means_what_r4_says(s in (0i64..12, 1i64..6), t in (0i64..12, 1i64..6)) {
        let (s, t) = ((s.0, s.0 + s.1), (t.0, t.0 + t.1));
        for prefix in [Prefix::Eq, Prefix::Ne, Prefix::Gt, Prefix::Lt, Prefix::Ge, Prefix::Le, Prefix::Sa, Prefix::Eb, Prefix::Ap] {
            let value = DateValue { prefix, interval: Interval { start: at(s.0), end: at(s.1) }, given: Interval { start: at(s.0), end: at(s.1) } };
            prop_assert_eq!(holds(&value.test(), t), meant(prefix, s, t), "{:?} {:?} {:?}", prefix, s, t);
            let bound = value.bound().is_none_or(|edge| holds(&DateTest::All(vec![edge]), t));
            prop_assert!(bound || !meant(prefix, s, t), "{:?} {:?} {:?}", prefix, s, t);
        }
    }
    #[test]
    fn splitting_loses_nothing(text in r"[a,\\|]{0,12}") {
        prop_assert_eq!(split(&text, ',').join(","), text);
    }
}
