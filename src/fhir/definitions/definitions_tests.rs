//! The tables hold what the specification says.

use super::*;

#[test]
fn every_piece_can_be_read() {
    let unread = |read: &dyn Fn(usize) -> bool, count: usize| (0..count).filter(|at| !read(*at)).count();
    assert_eq!(unread(&|at| STRUCTURES.at(at).is_some(), index::STRUCTURES.len()), 0);
    assert_eq!(unread(&|at| VALUE_SETS.at(at).is_some(), index::VALUE_SETS.len()), 0);
    assert_eq!(unread(&|at| CODE_SYSTEMS.at(at).is_some(), index::CODE_SYSTEMS.len()), 0);
    assert_eq!(unread(&|at| PARAMETERS.at(at).is_some(), index::PARAMETERS.len()), 0);
    assert_eq!(unread(&|at| COMPARTMENTS.at(at).is_some(), index::COMPARTMENTS.len()), 0);
    assert_eq!(Definitions.resources().count(), 146);
}

#[test]
fn a_type_says_what_its_elements_are() {
    let patient = Definitions.named("Patient").unwrap();
    let (deceased, of) = patient.element("deceasedDateTime").unwrap();
    assert!(deceased.is_choice && deceased.is_modifier && deceased.is_summary && !deceased.repeats());
    assert_eq!((deceased.name.as_str(), of.name.as_str()), ("deceased", "dateTime"));
    let (gender, _) = patient.element("gender").unwrap();
    assert_eq!(gender.binding.as_ref().unwrap().set, "http://hl7.org/fhir/ValueSet/administrative-gender");
    let (organization, of) = patient.element("managingOrganization").unwrap();
    assert_eq!((organization.min, of.targets.as_slice()), (0, ["Organization".to_string()].as_slice()));
    assert!(patient.element("contact").unwrap().0.repeats());
    assert!(patient.element("deceased").is_none());
    assert_eq!(patient.element("contact").unwrap().0.constraints[0].key, "pat-1");
    assert!(Definitions.is_resource("Patient") && !Definitions.is_resource("HumanName") && !Definitions.is_resource("DomainResource"));
    assert!(Definitions.is_a("code", "string") && Definitions.is_a("Age", "Quantity") && !Definitions.is_a("string", "code"));
}

#[test]
fn a_value_set_holds_its_codes() {
    let none = profiles::Profiles::default();
    let has =
        |set: &str, system: Option<&str>, code: &str| codes::contains(&format!("http://hl7.org/fhir/ValueSet/{set}"), system, code, &none);
    assert_eq!(has("administrative-gender", None, "female"), Some(true));
    assert_eq!(has("administrative-gender", None, "f"), Some(false));
    assert_eq!(has("administrative-gender", Some("http://hl7.org/fhir/administrative-gender"), "male"), Some(true));
    assert_eq!(has("administrative-gender", Some("http://e.test"), "male"), Some(false));
    assert_eq!(has("mimetypes", None, "application/fhir+json; charset=UTF-8"), Some(true));
    assert_eq!(has("mimetypes", None, "nonsense"), Some(false));
    assert_eq!(has("currencies", None, "EUR"), Some(true));
    assert_eq!(has("currencies", None, "ABC"), Some(false));
    assert_eq!(has("condition-code", Some("http://snomed.info/sct"), "1"), None);
    assert_eq!(has("defined-types", None, "Patient"), Some(true));
}

#[test]
fn search_parameters_and_compartments_are_those_of_r4() {
    let birth = Definitions.parameter("Patient", "birthdate").unwrap();
    assert_eq!((birth.kind.as_str(), birth.expression.contains("Patient.birthDate")), ("date", true));
    assert_eq!(Definitions.parameter("Patient", "_id").unwrap().expression, "Resource.id");
    assert_eq!(Definitions.parameters("Observation").filter(|it| it.kind == "composite").count(), 8);
    let members = &Definitions.compartment("Patient").unwrap().members;
    assert!(members.iter().any(|(name, params)| name == "Appointment" && params == &["actor"]));
}
