//! Tokens, cursors, headers, stored hashes, audit packages, configuration files.

use super::{Target, refusal, seeds};
use enamel::identity::password_hash::StoredHash;
use enamel::identity::token::{Kind, Token};
use enamel::kernel::audit::{PinnedKeys, Verdict, verify};
use enamel::kernel::config::Config;
use enamel::kernel::crypto::Ring;
use enamel::kernel::table::{Cursor, List};
use enamel::patients::patient::PATIENT;
use enamel::reference::code_value::CODE_VALUE;
use enamel::reference::procedure_catalog_entry::PROCEDURE_CATALOG_ENTRY;
use enamel::server::idempotency;
use enamel::server::rest::query;
use std::io::Read;
use uuid::Uuid;

#[test]
fn fuzz_tokens_read_back_or_are_no_tokens() {
    let tokens: Vec<String> = Kind::ALL.iter().map(|kind| Token::new(*kind).unwrap().expose().to_owned()).collect();
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let read: Vec<Kind> =
            Kind::ALL.into_iter().filter(|kind| Token::parse(*kind, &text).is_some_and(|token| token.expose() == text)).collect();
        assert!(read.len() <= 1, "one text is tokens of two kinds");
        format!("{read:?}")
    };
    let seeds = tokens.iter().map(|token| token.clone().into_bytes()).collect();
    Target { name: "token", seeds, words: &["en_at_", "en_rt_", "é", "0"], memory: (64 * 1024, 16), run: &run }.fuzz();
}

#[test]
fn fuzz_cursors_open_only_as_they_were_sealed() {
    let cipher = Ring::new([&[9; 32]]).unwrap();
    let list = List::new(&PATIENT);
    let cursor = Cursor { value: Some("Müller".to_owned()), id: Uuid::from_u128(1), tenant: Uuid::from_u128(2) };
    let sealed: Vec<String> = (0..4).map(|_| cursor.seal(&list, &cipher).unwrap()).collect();
    let run = |bytes: &[u8]| match Cursor::open(&String::from_utf8_lossy(bytes), &list, &cipher) {
        Err(error) => refusal(&error),
        Ok(opened) => {
            assert!(sealed.iter().any(|sealed| sealed.as_bytes() == bytes), "a changed cursor opened");
            assert_eq!(opened, cursor);
            "opened".to_owned()
        }
    };
    let seeds = sealed.iter().map(|sealed| sealed.clone().into_bytes()).collect();
    Target { name: "cursor", seeds, words: &["=", "-", "_", "AAAA"], memory: (64 * 1024, 16), run: &run }.fuzz();
}

#[test]
fn fuzz_if_match_and_idempotency_key_are_read_or_refused() {
    let run = |bytes: &[u8]| {
        let Ok(value) = poem::http::HeaderValue::from_bytes(bytes) else { return "no header".to_owned() };
        let request = poem::Request::builder().header("if-match", value.clone()).header("idempotency-key", value).finish();
        let version = query::version(&request).map_or_else(
            |error| refusal(&error),
            |version| {
                let version = version.unwrap();
                let again = poem::Request::builder().header("if-match", format!("W/\"{version}\"")).finish();
                assert_eq!(query::version(&again).unwrap(), Some(version), "a tag does not read back");
                "a version".to_owned()
            },
        );
        let key = idempotency::Key::of(&request, bytes).map_or_else(|error| refusal(&error), |key| format!("key {}", key.is_some()));
        format!("{version}; {key}")
    };
    let seeds = seeds(&["W/\"17\"", "\"3\"", "*", "\"1\", \"2\"", "W/\"-9223372036854775808\"", "0192f0c4-5b1e-7c3a-9d1e-aaaaaaaaaaaa"]);
    Target { name: "headers", seeds, words: &["W/", "\"", "+1", "9223372036854775808", ",", " "], memory: (64 * 1024, 16), run: &run }
        .fuzz();
}

#[test]
fn fuzz_stored_hashes_keep_their_costs_bounded() {
    let run = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let read = StoredHash::parse(&text).map(|hash| hash.algorithm().as_str());
        assert!(read.is_none() || text.starts_with('$'), "a hash without its form");
        read.unwrap_or("none").to_owned()
    };
    let seeds = seeds(&[
        "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b+dWRWJTmaaQObG8eGzQvT+x0M",
        "$argon2id$v=19$m=19456,t=2,p=1,keyid=MQ$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b+dWRWJTmaaQObG8eGzQvT+x0M",
        "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
        "$scrypt$ln=14,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b+dWRWJTmaaQObG8eGzQvT+x0M",
    ]);
    let words: &[&str] = &["$", "m=4294967295", "t=4294967295", "p=255", "ln=63", "r=4294967295", "$2y$31$", "v=16", "keyid=", ",", "="];
    Target { name: "password-hash", seeds, words, memory: (64 * 1024, 16), run: &run }.fuzz();
}

#[test]
fn fuzz_audit_packages_are_whole_or_said_to_be_bad() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/verify/golden");
    let said: serde_json::Value = serde_json::from_slice(&std::fs::read(format!("{folder}/verdicts.json")).unwrap()).unwrap();
    let keys = PinnedKeys::from_base64(said["keys"].as_array().unwrap().iter().map(|key| key.as_str().unwrap())).unwrap();
    let packages: Vec<Vec<u8>> = ["good", "nothing", "reordered-events", "gzip-cut", "second-header"]
        .iter()
        .map(|name| std::fs::read(format!("{folder}/{name}.ndjson.gz")).unwrap())
        .collect();
    let unpacked: Vec<String> = packages.iter().map(|package| unpack(package)).collect();
    // Packed anew, so that what is changed is the content and not only its packing.
    let run = |bytes: &[u8]| {
        let packed = if bytes.starts_with(&[0x1f, 0x8b]) { bytes.to_vec() } else { pack(bytes) };
        match verify(packed.as_slice(), &keys) {
            Verdict::Bad(bad) => format!("{:?}", bad.reason),
            Verdict::Good(_) => {
                assert!(unpacked.contains(&unpack(&packed)), "a changed package is called good");
                "good".to_owned()
            }
        }
    };
    let seeds = unpacked.iter().map(|text| text.clone().into_bytes()).chain(packages.iter().cloned()).collect();
    let words: &[&str] = &["\n", "{", "}", "null", "-1", "18446744073709551616", "\"kind\":", "\\u0000", "2026-11-20T00:00:00.000000Z"];
    Target { name: "audit-package", seeds, words, memory: (16 * 1024 * 1024, 64), run: &run }.fuzz();
}

fn unpack(package: &[u8]) -> String {
    let mut text = Vec::new();
    // What cannot be unpacked is as far as it goes.
    let _ = flate2::read::MultiGzDecoder::new(package).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn fuzz_configuration_files_never_show_what_stood_in_them() {
    let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/enamel.toml.example")).unwrap();
    let minimal = "[server]\nlisten = \"127.0.0.1:0\"\n[database]\nurl = \"postgres:///enamel\"\nsecret = \"hunter2hunter2hunter2\"\n[secrets]\nseal_key = \"hunter2\"\n[storage]\nsecret_key = \"hunter2hunter2\"\n[identity]\n[telemetry]\n[audit]\n";
    let run = |bytes: &[u8]| match Config::from_parts(&String::from_utf8_lossy(bytes), []) {
        Ok(_) => "read".to_owned(),
        Err(error) => {
            let text = error.to_string();
            // The name of a key is told, also of one that does not exist; a value never.
            assert!(!text.contains('\n') && (text.ends_with("unknown key") || !text.contains("hunter2")), "an error shows what it read");
            text.chars().filter(|c| c.is_ascii_alphabetic()).take(40).collect()
        }
    };
    let words: &[&str] =
        &["[server]", "= ", "\"\"\"", "'''", "unknown = 1", "[[", "]]", "1e400", "\\U00110000", "{a={a={", "2026-13-01", "_"];
    Target { name: "configuration", seeds: seeds(&[&example, minimal]), words, memory: (2 * 1024 * 1024, 400), run: &run }.fuzz();
}

#[test]
fn fuzz_code_files_are_told_line_by_line() {
    use enamel::reference::sheet::{Form, Rules, read};
    let run = |bytes: &[u8]| {
        let mut said = String::new();
        for (form, table) in [(Form::Csv, &CODE_VALUE), (Form::Csv, &PROCEDURE_CATALOG_ENTRY), (Form::Fhir, &CODE_VALUE)] {
            let given = serde_json::json!({"code_system_id": Uuid::from_u128(1)}).as_object().unwrap().clone();
            let mut rules = Rules::new(table, given, Some("[A-Z][0-9]+")).unwrap();
            let (mut last, mut good, mut bad) = (0, 0u32, 0u32);
            let whole = read(form, table, bytes, &mut |line| {
                assert!(line.number >= last, "lines go back");
                last = line.number;
                match rules.check(line) {
                    Ok(row) => {
                        assert!(row.keys().all(|name| table.field(name).is_some()), "a column that is none");
                        good += 1;
                    }
                    Err(faults) => {
                        assert!(!faults.is_empty());
                        bad += 1;
                    }
                }
                true
            });
            said.push_str(&format!("{whole:?} {} {};", good.min(2), bad.min(2)));
        }
        said
    };
    let seeds = seeds(&[
        "\u{feff}code;display;parent_code;effective_from\nT1;\"One; \"\"two\"\"\nlines\";;2026-01-01\nT2;Two;T1;\n",
        "code,description,tooth_rule,default_fee_minor,currency,is_active\nT1,Filling,TOOTH,8500,USD,yes\n",
        r#"{"resourceType":"CodeSystem","concept":[{"code":"T1","display":"One","concept":[{"code":"T2","display":"Two"}]}]}"#,
    ]);
    let words: &[&str] = &["\"", ",", ";", "\n", "\r", "code", "\u{feff}", "{\"concept\":[", "[", "]}", "\\ud800", "1e400"];
    Target { name: "code-file", seeds, words, memory: (1024 * 1024, 400), run: &run }.fuzz();
}
