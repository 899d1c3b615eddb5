//! The packages in deploy/verify/golden/ and what both verifiers must say of them.
//!
//! After a change of the format: `ENAMEL_GOLDEN=write cargo test golden`, and read the difference.

use super::forge::{pack_bytes, unpack};
use super::mutation::corpus;
use super::sample::{Keys, package};
use super::tampering::named;
use super::verify::{run, verify};
use serde_json::{Map, Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/verify/golden")
}

fn file(name: &str) -> PathBuf {
    folder().join(format!("{name}.ndjson.gz"))
}

fn python(script: &[&str], arguments: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/verify");
    Command::new("python3").args(["-B"]).args(script).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn golden_packages_are_the_ones_made_today() {
    let keys = Keys::new();
    let said = named().into_iter().map(|(name, _, package)| {
        let verdict = verify(package.as_slice(), &keys.pinned()).to_json();
        if std::env::var("ENAMEL_GOLDEN").is_ok_and(|wish| wish == "write") {
            fs::write(file(name), &package).unwrap();
        }
        let stored = fs::read(file(name)).unwrap();
        // Another release of the compressor may make other bytes of the same content.
        assert!(unpack(&stored) == unpack(&package), "{name} is no longer what is committed");
        (name.to_owned(), verdict)
    });
    let verdicts = json!({ "keys": keys.public(), "verdicts": said.collect::<Map<_, _>>() });
    let verdicts = serde_json::to_string_pretty(&verdicts).unwrap() + "\n";
    if std::env::var("ENAMEL_GOLDEN").is_ok_and(|wish| wish == "write") {
        fs::write(folder().join("verdicts.json"), &verdicts).unwrap();
    }
    assert_eq!(fs::read_to_string(folder().join("verdicts.json")).unwrap(), verdicts);
}

/// Runs many packages through verify.py in one process; gives its verdicts in order.
fn python_verdicts(packages: &[PathBuf]) -> Vec<Json> {
    let script = "import json, sys, verify\n\
        keys = verify.pin(json.loads(sys.argv[1]))\n\
        for path in sys.stdin.read().split('\\n'):\n    print(json.dumps(verify.verify(open(path, 'rb'), keys)))";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/verify");
    let list = std::env::temp_dir().join(format!("enamel-verify-{}-{}", std::process::id(), packages.len()));
    let paths: Vec<_> = packages.iter().map(|path| path.to_str().unwrap()).collect();
    fs::write(&list, paths.join("\n")).unwrap();
    let keys = serde_json::to_string(&Keys::new().public()).unwrap();
    let input = fs::File::open(&list).unwrap();
    let output = Command::new("python3").args(["-B", "-c", script, &keys]).current_dir(folder).stdin(input).output();
    let output = output.unwrap();
    fs::remove_file(&list).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn both_verifiers_agree_on_the_golden_packages() {
    let stored: Json = serde_json::from_slice(&fs::read(folder().join("verdicts.json")).unwrap()).unwrap();
    let names: Vec<_> = stored["verdicts"].as_object().unwrap().keys().cloned().collect();
    let files: Vec<_> = names.iter().map(|name| file(name)).collect();
    for ((name, file), theirs) in names.iter().zip(&files).zip(python_verdicts(&files)) {
        let expected = &stored["verdicts"][name];
        assert_eq!(&theirs, expected, "verify.py on {name}");
        let ours = verify(fs::File::open(file).unwrap(), &Keys::new().pinned());
        assert_eq!(&ours.to_json(), expected, "enamel on {name}");
    }
    let on_disk = fs::read_dir(folder())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "gz"));
    assert_eq!(on_disk.count(), names.len(), "a golden package that no test makes");
}

#[test]
fn both_verifiers_agree_on_single_changes() {
    let folder = std::env::temp_dir().join(format!("enamel-corpus-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    // The lines of one kind are alike, so every seventh change meets each kind and member; the rest is Rust's alone.
    let changes = corpus().into_iter().step_by(7).map(|(name, _, inside)| (name, inside));
    let changes: Vec<_> = changes.chain(flips(97)).collect();
    let paths: Vec<_> = (0..changes.len()).map(|n| folder.join(n.to_string())).collect();
    for ((_, package), path) in changes.iter().zip(&paths) {
        fs::write(path, package).unwrap();
    }
    let theirs = python_verdicts(&paths);
    fs::remove_dir_all(&folder).unwrap();
    for ((name, package), theirs) in changes.iter().zip(theirs) {
        assert_eq!(verify(package.as_slice(), &Keys::new().pinned()).to_json(), theirs, "{name}");
    }
}

/// One bit of the content flipped, at every `step`-th byte, a different bit each time.
fn flips(step: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    let content = unpack(&package());
    (0..content.len()).step_by(step).map(move |at| {
        let mut flipped = content.clone();
        flipped[at] ^= 1 << (at % 8);
        (format!("flip of byte {at}"), pack_bytes(&flipped))
    })
}

#[test]
fn both_programs_print_the_same_and_exit_alike() {
    let keys = Keys::new().public();
    for name in ["good", "outsider-changes-outcome", "gzip-cut"] {
        let path = file(name);
        let mut arguments: Vec<_> = keys.iter().flat_map(|key| ["--key", key.as_str()]).collect();
        arguments.push(path.to_str().unwrap());
        let theirs = python(&["verify.py"], &arguments);
        let (code, text) = run(&path, &keys, false);
        assert_eq!(theirs.status.code(), Some(code), "{name}");
        let printed = String::from_utf8(theirs.stdout).unwrap();
        assert!(text.starts_with(&printed), "{name}: {printed} {text}");
        assert!(!printed.is_empty());
    }
    for (path, keys) in [(file("no-such"), keys.clone()), (file("good"), vec!["AAAA".to_owned()])] {
        let theirs = python(&["verify.py", "--key", &keys[0]], &[path.to_str().unwrap()]);
        assert_eq!((theirs.status.code(), run(&path, &keys, false).0), (Some(2), 2));
    }
}
