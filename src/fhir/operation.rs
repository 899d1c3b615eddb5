//! The operations of R4 that are served, as its OperationDefinitions say them.

use super::definitions::Definitions;
use super::registry::{Interaction, TypeDef};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// `$name`
    System,
    /// `Type/$name`
    Type,
    /// `Type/id/$name`
    Instance,
}

#[derive(Debug)]
pub struct Operation {
    /// Without the `$`.
    pub name: &'static str,
    /// The type it is for; None: every type.
    pub of: Option<&'static str>,
    /// The id of HL7's OperationDefinition.
    pub definition: &'static str,
    pub levels: &'static [Level],
    /// Its parameters can stand in the query of a GET.
    pub by_get: bool,
}

use Level::{Instance, System, Type};

pub static OPERATIONS: &[Operation] = &[
    // The definition has no system level, which others offer: the resource says its type.
    Operation { name: "validate", of: None, definition: "Resource-validate", levels: &[System, Type, Instance], by_get: false },
    Operation { name: "expand", of: Some("ValueSet"), definition: "ValueSet-expand", levels: &[Type, Instance], by_get: true },
    Operation {
        name: "validate-code",
        of: Some("ValueSet"),
        definition: "ValueSet-validate-code",
        levels: &[Type, Instance],
        by_get: true,
    },
    Operation {
        name: "validate-code",
        of: Some("CodeSystem"),
        definition: "CodeSystem-validate-code",
        levels: &[Type, Instance],
        by_get: true,
    },
    Operation { name: "lookup", of: Some("CodeSystem"), definition: "CodeSystem-lookup", levels: &[Type], by_get: true },
    Operation { name: "subsumes", of: Some("CodeSystem"), definition: "CodeSystem-subsumes", levels: &[Type, Instance], by_get: true },
    Operation { name: "translate", of: Some("ConceptMap"), definition: "ConceptMap-translate", levels: &[Type, Instance], by_get: true },
    Operation { name: "everything", of: Some("Patient"), definition: "Patient-everything", levels: &[Instance], by_get: true },
    Operation { name: "everything", of: Some("Encounter"), definition: "Encounter-everything", levels: &[Instance], by_get: true },
    Operation { name: "document", of: Some("Composition"), definition: "Composition-document", levels: &[Instance], by_get: true },
    Operation { name: "match", of: Some("Patient"), definition: "Patient-match", levels: &[Type], by_get: false },
    Operation { name: "meta", of: None, definition: "Resource-meta", levels: &[Instance], by_get: true },
    Operation { name: "meta-add", of: None, definition: "Resource-meta-add", levels: &[Instance], by_get: false },
    Operation { name: "meta-delete", of: None, definition: "Resource-meta-delete", levels: &[Instance], by_get: false },
];

/// What a type offers.
pub fn of_type(def: &TypeDef) -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(move |operation| operation.of.is_none_or(|of| of == def.name) && operation.levels_of(def).next().is_some())
}

/// What is asked of the server itself.
pub fn of_system() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(|operation| operation.levels.contains(&System))
}

impl Operation {
    /// The levels at which a type offers it: one that holds no records has no instances.
    pub fn levels_of(&self, def: &TypeDef) -> impl Iterator<Item = Level> {
        let is_read = def.allows(Interaction::Read).is_ok();
        self.levels.iter().copied().filter(move |level| *level == Type || *level == Instance && is_read)
    }
    pub fn url(&self) -> String {
        let known = Definitions.original("OperationDefinition", self.definition).and_then(|known| known.text("url"));
        known.unwrap_or_default().to_owned()
    }
}

/// An operation that becomes a job (Bulk Data Access 2.0); its definition is another guide's.
#[derive(Debug)]
pub struct Bulk {
    pub name: &'static str,
    /// None: asked of the server itself.
    pub of: Option<&'static str>,
    pub level: Level,
    pub definition: &'static str,
    /// The id of our own OperationDefinition, which says what of it is done here.
    pub own: &'static str,
    pub by_get: bool,
}

pub static BULK: &[Bulk] = &[
    Bulk {
        name: "export",
        of: None,
        level: Type,
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export",
        own: "enamel-export",
        by_get: true,
    },
    Bulk {
        name: "export",
        of: Some("Patient"),
        level: Type,
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export",
        own: "enamel-patient-export",
        by_get: true,
    },
    Bulk {
        name: "export",
        of: Some("Group"),
        level: Instance,
        definition: "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export",
        own: "enamel-group-export",
        by_get: true,
    },
    // Of SMART's proposal, which has no definition yet.
    Bulk { name: "import", of: None, level: Type, definition: "urn:enamel:operation:import", own: "enamel-import", by_get: false },
];

impl Bulk {
    /// `/$export`, `/Group/:id/$export`.
    pub fn path(&self) -> String {
        let id = if self.level == Instance { "/:id" } else { "" };
        self.of.map_or_else(|| format!("/${}", self.name), |of| format!("/{of}{id}/${}", self.name))
    }
}
