//! From DICOM's modality (PS3.3 C.7.3.1.1.1) to the word of the catalogue.

/// The word, and whether the code stands for it beyond doubt.
pub fn word_of(code: &str, body_part: Option<&str>, frames: Option<i32>) -> (&'static str, bool) {
    match code {
        "IO" => ("INTRAORAL", true),
        "PX" => ("PANORAMIC", true),
        "CT" => ("CBCT", true),
        "XC" | "GM" => ("PHOTO", true),
        "ES" if frames.is_some_and(|frames| frames > 1) => ("VIDEO", true),
        "ES" => ("PHOTO", true),
        "OSS" | "M3D" => ("SURFACE_SCAN", true),
        "DX" | "CR" | "RG" | "RF" => match body_part.unwrap_or_default() {
            "SKULL" | "HEAD" | "FACE" | "HEADNECK" => ("CEPHALOMETRIC", true),
            "TEETH" | "TOOTH" => ("INTRAORAL", true),
            "JAW" | "MANDIBLE" | "MAXILLA" => ("PANORAMIC", true),
            // Plain radiographs of the dental software at hand: flat panels take cephalograms, plates sit in the mouth.
            _ if code == "CR" => ("INTRAORAL", false),
            _ => ("CEPHALOMETRIC", false),
        },
        // Another volume.
        "MR" | "PT" | "NM" => ("CBCT", false),
        _ => ("PHOTO", false),
    }
}
