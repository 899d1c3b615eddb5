//! What a reviewer should never have to say: floors, lengths, banned words, generated files.

use std::path::{Path, PathBuf};

fn rust_files(root: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(root)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Lowest first. A room may use rooms of lower floors, and its own floor only where it stands here before.
const FLOORS: &[&[&str]] = &[
    &["kernel"],
    &["fhir", "dicom", "pdf"],
    &["tenancy", "identity", "directory", "patients", "governance", "imaging", "workflow"],
    &["server"],
    &["cli"],
];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn no_room_reaches_up() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let text = std::fs::read_to_string(&path).unwrap();
        let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
        let Some(room) = inside.iter().next().and_then(|room| room.to_str()) else { continue };
        let Some(floor) = floor_of(room) else { continue };
        for used in text.split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if floor_of(&name).is_some_and(|other| other > floor) {
                wrong.push(format!("{} uses {name}", inside.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_fhir_engine_names_no_table_and_no_contract_runs_sql() {
    for path in rust_files("src/fhir") {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("sql!") && !text.contains("Scope"), "{} knows the database", path.display());
    }
    for path in rust_files("src/server/rest").into_iter().filter(|path| !path.ends_with("history.rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("sql!") && !text.contains("select "), "{} runs SQL", path.display());
    }
}

#[test]
fn files_stay_readable_in_one_sitting() {
    let mut long = Vec::new();
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        if lines > 600 || lines > 420 && !text.starts_with("// long because: ") {
            long.push(format!("{lines} {}", path.display()));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// Outside of tests: what there is a better way for.
#[test]
fn banned_words_stay_out() {
    let bans = [
        ("todo!(", "an issue"),
        ("unimplemented!(", "an issue"),
        ("TODO", "an issue"),
        ("FIXME", "an issue"),
        ("mod utils", "a noun"),
        ("dbg!(", "tracing"),
        ("allow(dead_code)", "deleting it"),
    ];
    let mut found = Vec::new();
    for path in rust_files("src") {
        let text = std::fs::read_to_string(&path).unwrap();
        let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (word, instead) in bans {
            if shipped.contains(word) {
                found.push(format!("{}: {word} (write {instead})", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_is_generated_is_committed() {
    for (name, content) in enamel::cli::generated() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(name);
        let held = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(held == content, "openapi/{name} is not what the code says: run `make openapi`");
    }
}

/// Programs written for the committed document go on working; what is only added passes, and is written by `make openapi`.
#[test]
fn no_program_written_for_the_committed_document_breaks() {
    let held = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/enamel-v1.json")).unwrap();
    let held: serde_json::Value = serde_json::from_str(&held).unwrap();
    let made = enamel::server::rest::document();
    let breaks = enamel::cli::breaking::breaks(&held, &made);
    assert!(breaks.is_empty(), "{} breaks:\n{}", breaks.len(), breaks.join("\n"));
    // The comparison sees the whole document: taking away whatever there is breaks, giving it back does not.
    let mut cut = made.clone();
    let paths = cut["paths"].as_object_mut().unwrap();
    paths.retain(|path, _| !path.starts_with("/api/v1/patients"));
    let properties = cut["components"]["schemas"]["Appointment"]["properties"].as_object_mut().unwrap();
    properties.shift_remove("status").unwrap();
    let found = enamel::cli::breaking::breaks(&made, &cut);
    assert!(found.iter().any(|line| line == "GET /api/v1/patients is gone"), "{found:?}");
    assert!(found.iter().any(|line| line == "GET /api/v1/appointments/{id}: 200.status is gone"), "{found:?}");
    assert!(enamel::cli::breaking::breaks(&cut, &made).is_empty());
}

/// Every name of the requirement texts leads to a property of the contract.
#[test]
fn the_names_of_the_texts_lead_to_fields() {
    let files = enamel::cli::generated();
    let (_, document) = files.iter().find(|(name, _)| *name == "enamel-v1.json").unwrap();
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let names = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/names.md")).unwrap();
    let lines = names.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| text"));
    let lost: Vec<&str> = lines
        .filter(|line| {
            let cells: Vec<&str> =
                line.strip_prefix('|').and_then(|line| line.strip_suffix('|')).unwrap_or(line).split('|').map(str::trim).collect();
            let served = |schema: &str, field: &str| document["components"]["schemas"][schema]["properties"].get(field).is_some();
            // What is kept and never shown says so, and is not served by mistake.
            let [_, _, schema, field, projected] = cells[..] else { return true };
            let kept = match field.strip_suffix(" (not shown)") {
                Some(kept) => !served(schema, kept),
                None => served(schema, field),
            };
            let spoken = projected.is_empty() || projected.split_once('.').is_some_and(|(schema, name)| served(schema, name));
            !(kept && spoken)
        })
        .collect();
    assert!(lost.is_empty() && names.lines().count() > 800, "{lost:?}");
    let mut unlisted = Vec::new();
    for projection in enamel::server::domains::projections() {
        let own = projection.names.iter().filter(|name| !name.doc.starts_with("not one of the text's"));
        unlisted
            .extend(own.map(|name| format!("{}.{}", projection.schema, name.name)).filter(|word| !names.contains(&format!("| {word} |"))));
    }
    assert!(unlisted.is_empty(), "not in names.md: {unlisted:?}");
}
