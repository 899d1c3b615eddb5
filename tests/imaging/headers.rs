//! The header reader against files from elsewhere, and against what chance makes of them.

use super::{fixture, fixture_path};
use dicom_object::{OpenFileOptions, Tag};
use enamel::dicom::{self, Header, Unreadable};
use proptest::prelude::*;
use std::process::Command;
use std::time::{Duration, Instant};

const READABLE: &[&str] = &[
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "JPEG-lossy.dcm",
    "badVR.dcm",
    "image_dfl.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "test-SR.dcm",
    "MR_truncated.dcm",
];

fn read(bytes: &[u8]) -> Result<Header, Unreadable> {
    dicom::read(bytes, bytes.len() as u64)
}

/// All values of these tags as dcmtk prints them, with the file's own faults ignored.
fn dcmdump(name: &str, tag: &str) -> String {
    let out = Command::new("dcmdump").args(["+E", "-q", "-Un", "+P", tag]).arg(fixture_path(name)).output().expect("dcmtk is installed");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.split('[').nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default().trim().to_owned()
}

#[test]
fn three_readers_agree_on_the_uids() {
    for name in READABLE {
        let header = read(&fixture(name)).unwrap_or_else(|why| panic!("{name}: {}", why.word()));
        let uids = [
            (&header.study_uid, "0020,000d", Tag(0x20, 0xD)),
            (&header.series_uid, "0020,000e", Tag(0x20, 0xE)),
            (&header.sop_instance_uid, "0008,0018", Tag(8, 0x18)),
        ];
        // The deflated one needs a feature of the library that we do without; the truncated one stops dcmtk.
        let library = OpenFileOptions::new().read_until(Tag(0x7FE0, 0x10)).open_file(fixture_path(name)).ok();
        assert!(library.is_some() || *name == "image_dfl.dcm", "{name}");
        for (ours, dcmtk, tag) in uids {
            if *name != "MR_truncated.dcm" {
                assert_eq!(*ours, dcmdump(name, dcmtk), "{name} {dcmtk}");
            }
            if let Some(object) = &library {
                let theirs = object.get(tag).unwrap().to_str().unwrap();
                assert_eq!(ours, theirs.trim_end_matches(['\0', ' ']), "{name} {dcmtk}");
            }
        }
    }
}

#[test]
fn departures_are_named() {
    let words = |name| read(&fixture(name)).unwrap().warnings.iter().map(|warning| warning.word()).collect::<Vec<_>>();
    assert_eq!(words("MR_small.dcm"), Vec::<&str>::new());
    assert!(words("MR_truncated.dcm").contains(&"PIXEL_DATA_TRUNCATED"));
    assert_eq!(read(&fixture("no_meta.dcm")), Err(Unreadable::NotDicom));
    assert_eq!(read(&fixture("meta_missing_tsyntax.dcm")), Err(Unreadable::NoTransferSyntax));
    assert_eq!(read(b""), Err(Unreadable::NotDicom));
    let ct = fixture("CT_small.dcm");
    assert_eq!(read(&ct[..500]), Err(Unreadable::Truncated));
    assert_eq!(dicom::read(&ct[..500], 100_000_000), Err(Unreadable::HeaderTooLarge));
}

#[test]
fn the_same_image_says_the_same_in_every_encoding() {
    let explicit = read(&fixture("MR_small.dcm")).unwrap();
    for name in ["MR_small_implicit.dcm", "MR_small_bigendian.dcm"] {
        let other = read(&fixture(name)).unwrap();
        assert_eq!((other.rows, other.columns, &other.modality), (explicit.rows, explicit.columns, &explicit.modality), "{name}");
        assert_eq!((&other.patient_name, &other.patient_id), (&explicit.patient_name, &explicit.patient_id), "{name}");
    }
    assert_eq!((explicit.rows, explicit.columns), (Some(64), Some(64)));
}

/// A bomb of deflate and one of nesting are cut off, in time and without a crash.
#[test]
fn bombs_are_cut_off() {
    use flate2::{Compression, write::DeflateEncoder};
    use std::io::Write;
    let deflated = fixture("image_dfl.dcm");
    let behind_meta = 128 + 4 + 12 + u32::from_le_bytes(deflated[140..144].try_into().unwrap()) as usize;
    let mut bomb = DeflateEncoder::new(deflated[..behind_meta].to_vec(), Compression::best());
    for _ in 0..256 {
        bomb.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    let began = Instant::now();
    assert!(read(&bomb).is_err());

    let ct = fixture("CT_small.dcm");
    let data = 128 + 4 + 12 + u32::from_le_bytes(ct[140..144].try_into().unwrap()) as usize;
    let level = b"\x08\x00\x40\x11SQ\0\0\xFF\xFF\xFF\xFF\xFE\xFF\x00\xE0\xFF\xFF\xFF\xFF";
    let nested = [&ct[..data], &level.repeat(500_000)].concat();
    assert_eq!(read(&nested), Err(Unreadable::TooDeep));
    assert!(began.elapsed() < Duration::from_secs(60));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Flipped, overwritten with lengths that lie, cut and glued: an answer each time, of bounded size, soon.
    #[test]
    fn chance_makes_no_crash(
        which in 0..READABLE.len(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..24),
        cut in prop::option::of(any::<prop::sample::Index>()),
        again in any::<bool>(),
    ) {
        let mut bytes = fixture(READABLE[which]);
        let header_end = bytes.len().min(6_000);
        for (at, byte, kind) in edits {
            let at = 132 + at.index(header_end - 132);
            match kind {
                0 => bytes[at] ^= 1 << (byte % 8),
                1 => bytes[at] = byte,
                2 => bytes.splice(at..(at + 4).min(header_end), [0xFF; 4]).for_each(drop),
                _ => bytes.splice(at..at, [byte; 3]).for_each(drop),
            }
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if again {
            bytes.extend_from_within(..);
        }
        let began = Instant::now();
        if let Ok(header) = read(&bytes) {
            for text in [&header.study_uid, &header.series_uid, &header.sop_instance_uid] {
                prop_assert!((1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
            }
            for text in header.patient_name.iter().chain(&header.patient_id).chain(&header.study_description).chain(&header.modality) {
                prop_assert!(text.chars().count() <= 300 && !text.chars().any(char::is_control));
            }
        }
        prop_assert!(began.elapsed() < Duration::from_secs(20));
    }
}
