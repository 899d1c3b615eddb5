//! From DICOM's modality (PS3.3 C.7.3.1.1.1) to the word of the catalogue.

use super::Header;

/// A dental volume by its very class: X-Ray 3D Craniofacial Image Storage.
const CRANIOFACIAL: &str = "1.2.840.10008.5.1.4.1.1.13.1.2";
/// Makers of cone-beam units for teeth and jaws that make no other CT.
const DENTAL_MAKERS: [&str; 25] = [
    "ACTEON",
    "ASAHI",
    "CARESTREAM",
    "DENTSPLY",
    "E-WOO",
    "EWOO",
    "GENDEX",
    "GENORAY",
    "IMAGING SCIENCES",
    "INSTRUMENTARIUM",
    "KAVO",
    "LARGEV",
    "MORITA",
    "MYRAY",
    "CEFLA",
    "NEWTOM",
    "OWANDY",
    "PLANMECA",
    "PREXION",
    "QR S",
    "RAY CO",
    "SIRONA",
    "SOREDEX",
    "VATECH",
    "YOSHIDA",
];

/// The word, and whether the header stands for it beyond doubt.
pub fn word_of(header: &Header) -> (&'static str, bool) {
    let frames = header.frames;
    match header.modality.as_deref().unwrap_or("OT") {
        _ if header.sop_class_uid.as_deref() == Some(CRANIOFACIAL) => ("CBCT", true),
        "IO" => ("INTRAORAL", true),
        "PX" => ("PANORAMIC", true),
        "CT" => ct(header),
        "XC" | "GM" => ("PHOTO", true),
        "ES" if frames.is_some_and(|frames| frames > 1) => ("VIDEO", true),
        "ES" => ("PHOTO", true),
        "OSS" | "M3D" => ("SURFACE_SCAN", true),
        code @ ("DX" | "CR" | "RG" | "RF") => match header.body_part.as_deref().unwrap_or_default() {
            "SKULL" | "HEAD" | "FACE" | "HEADNECK" => ("CEPHALOMETRIC", true),
            "TEETH" | "TOOTH" => ("INTRAORAL", true),
            "JAW" | "MANDIBLE" | "MAXILLA" => ("PANORAMIC", true),
            // Plain radiographs of the dental software at hand: flat panels take cephalograms, plates sit in the mouth.
            _ if code == "CR" => ("INTRAORAL", false),
            _ => ("CEPHALOMETRIC", false),
        },
        // Pictures made by software: screenshots, photos that were converted.
        "SC" | "OT" => ("PHOTO", false),
        _ => ("OTHER", true),
    }
}

/// DICOM has one code for fan and cone beam. How the scan was made decides before where it was made; without a sign of a
/// cone beam it is the CT the code says.
fn ct(header: &Header) -> (&'static str, bool) {
    let says = |text: &Option<String>, words: &[&str]| {
        let text = text.as_deref().unwrap_or_default().to_uppercase();
        words.iter().any(|word| text.contains(word))
    };
    const CONE: [&str; 4] = ["CONE", "CBCT", "CB-CT", "DVT"];
    let named = [&header.acquisition_type, &header.scan_options, &header.device, &header.series_description, &header.study_description];
    if named.into_iter().any(|text| says(text, &CONE)) {
        return ("CBCT", true);
    }
    if says(&header.scan_options, &["HELI", "SPIRAL", "AXIAL"]) || says(&header.acquisition_type, &["SPIRAL", "SEQUENCED"]) {
        return ("CT", true);
    }
    if says(&header.manufacturer, &DENTAL_MAKERS) {
        return ("CBCT", true);
    }
    match says(&header.body_part, &["JAW", "MANDIBLE", "MAXILLA", "TEETH", "TOOTH"]) {
        true => ("CBCT", false),
        false => ("CT", true),
    }
}
