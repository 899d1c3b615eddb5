//! The texts of a header, decoded by dicom-object from a copy that holds nothing else, and what they say.

use super::header::{Header, MARK, Meta, Unreadable, VALUE_BYTES_MAX, Warning};
use super::time::{Acquired, date, offset_of};
use super::walk::{Tag, Walked};
use dicom_object::OpenFileOptions;
use dicom_object::file::ReadPreamble;
use std::collections::{BTreeMap, BTreeSet};

const CHARACTER_SET: Tag = (0x0008, 0x0005);
const SOP_CLASS: Tag = (0x0008, 0x0016);
const SOP_INSTANCE: Tag = (0x0008, 0x0018);
const STUDY: Tag = (0x0020, 0x000D);
const SERIES: Tag = (0x0020, 0x000E);

/// The texts that are kept, with the VR the standard gives them (PS3.6), whatever the file says.
pub const TEXTS: &[(Tag, &[u8; 2])] = &[
    (CHARACTER_SET, b"CS"),
    ((0x0008, 0x0008), b"CS"),
    (SOP_CLASS, b"UI"),
    (SOP_INSTANCE, b"UI"),
    ((0x0008, 0x0020), b"DA"),
    ((0x0008, 0x0022), b"DA"),
    ((0x0008, 0x002A), b"DT"),
    ((0x0008, 0x0030), b"TM"),
    ((0x0008, 0x0032), b"TM"),
    ((0x0008, 0x0050), b"SH"),
    ((0x0008, 0x0060), b"CS"),
    ((0x0008, 0x0070), b"LO"),
    ((0x0008, 0x0201), b"SH"),
    ((0x0008, 0x1030), b"LO"),
    ((0x0008, 0x103E), b"LO"),
    ((0x0008, 0x1090), b"LO"),
    ((0x0010, 0x0010), b"PN"),
    ((0x0010, 0x0020), b"LO"),
    ((0x0010, 0x0030), b"DA"),
    ((0x0018, 0x0015), b"CS"),
    ((0x0018, 0x0022), b"CS"),
    ((0x0018, 0x1164), b"DS"),
    ((0x0018, 0x9302), b"CS"),
    (STUDY, b"UI"),
    (SERIES, b"UI"),
    ((0x0020, 0x0011), b"IS"),
    ((0x0020, 0x0060), b"CS"),
    ((0x0020, 0x0062), b"CS"),
    ((0x0028, 0x0008), b"IS"),
    ((0x0028, 0x0030), b"DS"),
];

/// The texts, decoded.
pub struct Texts {
    texts: BTreeMap<Tag, String>,
}

impl Texts {
    pub fn of(walked: &Walked, warnings: &mut BTreeSet<Warning>) -> Result<Texts, Unreadable> {
        let mut copy = Vec::with_capacity(2_048);
        copy.extend(MARK);
        copy.extend(META_OF_COPY);
        for (tag, vr) in TEXTS {
            let Some(value) = walked.found.get(tag) else { continue };
            match u16::try_from(value.len()).ok().filter(|length| usize::from(*length) <= VALUE_BYTES_MAX) {
                Some(length) => put(&mut copy, *tag, vr, length, value),
                None => {
                    warnings.insert(Warning::ValueUnreadable);
                }
            }
        }
        let object = OpenFileOptions::new().read_preamble(ReadPreamble::Never).from_reader(copy.as_slice());
        let object = object.map_err(|_| Unreadable::Malformed)?;
        let mut texts = BTreeMap::new();
        for (tag, _) in TEXTS {
            let Some(element) = object.get(dicom_object::Tag(tag.0, tag.1)) else { continue };
            match element.to_str() {
                Ok(text) => texts.insert(*tag, clean(&text)),
                Err(_) => {
                    warnings.insert(Warning::ValueUnreadable);
                    None
                }
            };
        }
        Ok(Texts { texts })
    }

    fn take(&mut self, group: u16, element: u16) -> Option<String> {
        self.texts.remove(&(group, element)).filter(|text| !text.is_empty())
    }

    fn uid(&mut self, tag: Tag, warnings: &mut BTreeSet<Warning>) -> Result<Option<String>, Unreadable> {
        let Some(uid) = self.take(tag.0, tag.1) else { return Ok(None) };
        let parts = || uid.split('.');
        if uid.len() > 64 || !parts().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
            return Err(Unreadable::BadUid);
        }
        if parts().any(|part| part.len() > 1 && part.starts_with('0')) {
            warnings.insert(Warning::UidZeros);
        }
        Ok(Some(uid))
    }

    pub fn header(
        &mut self,
        meta: Meta,
        rows: Option<i32>,
        columns: Option<i32>,
        mut warnings: BTreeSet<Warning>,
    ) -> Result<Header, Unreadable> {
        let stored = self.uid(SOP_INSTANCE, &mut warnings)?;
        if stored.is_some() && stored != meta.sop_instance {
            warnings.insert(Warning::MetaSopDiffers);
        }
        let sop_class_uid = self.uid(SOP_CLASS, &mut warnings)?;
        if sop_class_uid.is_none() {
            warnings.insert(Warning::SopClassMissing);
        }
        let modality = self.take(8, 0x60).map(|code| code.to_ascii_uppercase());
        if modality.is_none() {
            warnings.insert(Warning::ModalityMissing);
        }
        let (calibrated, raw) = (self.take(0x28, 0x30), self.take(0x18, 0x1164));
        let spacing = calibrated.as_deref().and_then(first_number);
        Ok(Header {
            sop_class_uid,
            sop_instance_uid: stored.ok_or(Unreadable::NoUid)?,
            study_uid: self.uid(STUDY, &mut warnings)?.ok_or(Unreadable::NoUid)?,
            series_uid: self.uid(SERIES, &mut warnings)?.ok_or(Unreadable::NoUid)?,
            transfer_syntax_uid: meta.transfer_syntax,
            modality,
            patient_name: self.take(0x10, 0x10).map(|name| components(&name)).unwrap_or_default(),
            patient_id: self.take(0x10, 0x20),
            patient_birth_date: self.take(0x10, 0x30).as_deref().and_then(date),
            acquired: self.acquired(),
            accession_number: self.take(8, 0x50),
            study_description: self.take(8, 0x1030),
            series_description: self.take(8, 0x103E),
            series_number: self.take(0x20, 0x11).and_then(|number| number.parse().ok()),
            body_part: self.take(0x18, 0x15),
            laterality: self.laterality(),
            manufacturer: self.take(8, 0x70),
            device: self.take(8, 0x1090),
            scan_options: self.take(0x18, 0x22),
            acquisition_type: self.take(0x18, 0x9302),
            rows: rows.filter(|count| *count > 0),
            columns: columns.filter(|count| *count > 0),
            frames: self.take(0x28, 8).and_then(|number| number.parse().ok()).filter(|count| *count > 0),
            pixel_spacing_mm: spacing.or_else(|| raw.as_deref().and_then(first_number)),
            is_calibrated: spacing.is_some(),
            is_original: self.take(8, 8).is_none_or(|kind| !kind.starts_with("DERIVED")),
            warnings,
        })
    }

    fn acquired(&mut self) -> Option<Acquired> {
        let offset = self.take(8, 0x201).as_deref().and_then(offset_of);
        let (exact, day, clock) = (self.take(8, 0x2A), self.take(8, 0x22), self.take(8, 0x32));
        let (study_day, study_clock) = (self.take(8, 0x20), self.take(8, 0x30));
        exact
            .and_then(|text| Acquired::of_dt(&text, offset))
            .or_else(|| Acquired::of(&day?, clock.as_deref(), offset))
            .or_else(|| Acquired::of(&study_day?, study_clock.as_deref(), offset))
    }

    fn laterality(&mut self) -> Option<&'static str> {
        let (series, image) = (self.take(0x20, 0x60), self.take(0x20, 0x62));
        match series.or(image)?.as_str() {
            "L" => Some("LEFT"),
            "R" => Some("RIGHT"),
            "B" => Some("BOTH"),
            _ => None,
        }
    }
}

/// File meta of the copy: explicit little endian; the UIDs are needed by its form only.
const META_OF_COPY: &[u8] = b"\x02\x00\x00\x00UL\x04\x00\x40\x00\x00\x00\
    \x02\x00\x02\x00UI\x04\x001.2\0\
    \x02\x00\x03\x00UI\x04\x001.2\0\
    \x02\x00\x10\x00UI\x14\x001.2.840.10008.1.2.1\0\
    \x02\x00\x12\x00UI\x04\x001.2\0";

fn put(copy: &mut Vec<u8>, tag: Tag, vr: &[u8; 2], length: u16, value: &[u8]) {
    copy.extend(tag.0.to_le_bytes());
    copy.extend(tag.1.to_le_bytes());
    copy.extend(vr);
    copy.extend((length + length % 2).to_le_bytes());
    copy.extend(value);
    if length % 2 == 1 {
        copy.push(b' ');
    }
}

/// Without padding and without what PostgreSQL and logs cannot hold.
fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    text.trim().to_owned()
}

/// PS3.5 §6.2.1: three groups parted by `=`, five components parted by `^`.
fn components(name: &str) -> Vec<String> {
    let alphabetic = name.split('=').next().unwrap_or_default();
    let parts: Vec<String> = alphabetic.split('^').map(|part| part.trim().to_owned()).collect();
    if parts.iter().all(String::is_empty) { Vec::new() } else { parts }
}

fn first_number(text: &str) -> Option<f64> {
    text.split('\\').next()?.trim().parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0)
}
