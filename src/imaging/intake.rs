//! A DICOM file becomes study, series and object, in the transaction that makes the file READY.

use super::imaging_object::IMAGING_OBJECT;
use super::imaging_series::IMAGING_SERIES;
use super::imaging_study::IMAGING_STUDY;
use super::subject::DIFFERENCES;
use crate::dicom::{Header, word_of};
use crate::kernel::crypto::Keyring;
use crate::kernel::db::{Scope, Sql};
use crate::kernel::error::{Error, Result};
use crate::kernel::table::{Draft, Record, Table, Value, store};
use crate::sql;
use chrono::{DateTime, Utc};
use uuid::Uuid;

sql! {
    /// $1 tenant, $2 SOP instance UID.
    OBJECT_OF_UID(UUID, TEXT) = "
        select o.hash, o.patient_id, s.status from imaging_objects o
          join imaging_studies s on s.tenant_id = o.tenant_id and s.id = o.study_id
         where o.tenant_id = $1 and o.sop_instance_uid = $2";
    /// $1 tenant, $2 study UID.
    STUDY_OF_UID(UUID, TEXT) = "select id from imaging_studies where tenant_id = $1 and study_uid = $2 and deleted_at is null";
    /// $1 tenant, $2 series UID.
    SERIES_OF_UID(UUID, TEXT) = "select id, study_id from imaging_series where tenant_id = $1 and series_uid = $2";
    /// $1 tenant, $2 study, $3 words: whether a person has taken such a difference for this study before.
    ACCEPTED_BEFORE(UUID, UUID, TEXT_ARRAY) = "
        select exists (select from imaging_objects where tenant_id = $1 and study_id = $2 and conformance_warnings && $3)";
}

/// What is known before the transaction.
pub struct Incoming<'a> {
    pub header: &'a Header,
    pub differences: Vec<&'static str>,
    pub acquired: Option<DateTime<Utc>>,
    pub patient: Uuid,
}

pub enum Taken {
    /// Rows stand for it; `open` is false while a person has to say whose images these are.
    Stored { open: bool },
    /// The very bytes are there already.
    Same { open: bool },
    /// Nothing was written; the word says why.
    Refused(&'static str),
}

/// Study, series, object, always in this order. Two that make the same one at once: the later fails as a duplicate when
/// the first commits, and its caller starts over and finds what is there.
pub async fn take(scope: &mut Scope, keys: &Keyring, file: &Record, incoming: &Incoming<'_>) -> Result<Taken> {
    let (tenant, header) = (file.tenant, incoming.header);
    if let Some(row) = scope.optional(&OBJECT_OF_UID, &[&tenant, &header.sop_instance_uid]).await? {
        let (hash, patient, status): (String, Uuid, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let same = file.text("sha256") == Some(hash.as_str()) && patient == incoming.patient;
        return Ok(if same { Taken::Same { open: status != "QUARANTINED" } } else { Taken::Refused("SOP_UID_TAKEN") });
    }
    // The series first: one that is there already has a study that is there too, also when another upload just made both.
    let series = found(scope, keys, &IMAGING_SERIES, (&SERIES_OF_UID, tenant, &header.series_uid)).await?;
    let study = match found(scope, keys, &IMAGING_STUDY, (&STUDY_OF_UID, tenant, &header.study_uid)).await? {
        Some(study) => match refusal(scope, &study, incoming).await? {
            Some(word) => return Ok(Taken::Refused(word)),
            None => Some(study),
        },
        None => None,
    };
    if series.as_ref().is_some_and(|series| series.uuid("study_id") != study.as_ref().map(|study| study.id)) {
        return Ok(Taken::Refused("SERIES_OF_ANOTHER_STUDY"));
    }
    let study = match study {
        Some(study) => study,
        None => store::insert(scope, &IMAGING_STUDY, &study_of(incoming)?, keys).await?,
    };
    let new_series = series.is_none();
    let series = match series {
        Some(series) => series,
        None => store::insert(scope, &IMAGING_SERIES, &series_of(incoming, study.id)?, keys).await?,
    };
    store::insert(scope, &IMAGING_OBJECT, &object_of(incoming, file, &study, &series)?, keys).await?;
    count(scope, keys, &series, &[("object_count", 1)]).await?;
    let study = count(scope, keys, &study, &[("object_count", 1), ("series_count", i64::from(new_series))]).await?;
    let study = settle(scope, keys, study, incoming).await?;
    Ok(Taken::Stored { open: study.text("status") != Some("QUARANTINED") })
}

/// A statement that finds an id, the tenant and the UID it looks for.
type Find<'a> = (&'static Sql, Uuid, &'a String);

async fn found(scope: &mut Scope, keys: &Keyring, table: &'static Table, (sql, tenant, uid): Find<'_>) -> Result<Option<Record>> {
    match scope.optional(sql, &[&tenant, uid]).await? {
        Some(row) => store::lock(scope, table, row.try_get(0)?, None, keys).await.map(Some),
        None => Ok(None),
    }
}

/// Why a file cannot join the study that is there.
async fn refusal(scope: &mut Scope, study: &Record, incoming: &Incoming<'_>) -> Result<Option<&'static str>> {
    if study.patient != Some(incoming.patient) {
        return Ok(Some("STUDY_OF_ANOTHER_PATIENT"));
    }
    match study.text("status") {
        Some("CANCELLED") => Ok(Some("STUDY_CANCELLED")),
        // It was settled whose study it is; a file that says otherwise needs the same decision, made before.
        Some("AVAILABLE") if !incoming.differences.is_empty() => {
            let words: Vec<&str> = DIFFERENCES.to_vec();
            let accepted: bool = scope.one(&ACCEPTED_BEFORE, &[&study.tenant, &study.id, &words]).await?.try_get(0)?;
            Ok((!accepted).then_some("PATIENT_MISMATCH"))
        }
        _ => Ok(None),
    }
}

async fn count(scope: &mut Scope, keys: &Keyring, was: &Record, by: &[(&str, i64)]) -> Result<Record> {
    let mut draft = Draft::default();
    for (name, more) in by {
        let total = was.int(name).unwrap_or_default().saturating_add(*more);
        draft = draft.set(was.table, name, Value::Int(i32::try_from(total).map_err(Error::internal)?))?;
    }
    store::update(scope, was, &draft, "system", keys).await
}

async fn settle(scope: &mut Scope, keys: &Keyring, study: Record, incoming: &Incoming<'_>) -> Result<Record> {
    if study.text("status") != Some("REGISTERED") {
        return Ok(study);
    }
    let status = if incoming.differences.is_empty() { "AVAILABLE" } else { "QUARANTINED" };
    let draft = Draft::default().set(&IMAGING_STUDY, "status", Value::Text(status.to_owned()))?;
    store::update(scope, &study, &draft, "system", keys).await
}

/// Columns by name, nothing where the file says nothing.
fn draft(table: &'static Table, columns: Vec<(&str, Option<Value>)>) -> Result<Draft> {
    let said = columns.into_iter().filter_map(|(name, value)| Some((name, value?)));
    said.into_iter().try_fold(Draft::default(), |draft, (name, value)| draft.set(table, name, value))
}

fn text(text: &Option<String>) -> Option<Value> {
    text.clone().map(Value::Text)
}

fn code(header: &Header) -> &str {
    header.modality.as_deref().unwrap_or("OT")
}

fn study_of(incoming: &Incoming<'_>) -> Result<Draft> {
    let header = incoming.header;
    let (word, _) = word_of(header);
    draft(
        &IMAGING_STUDY,
        vec![
            ("patient_id", Some(Value::Uuid(incoming.patient))),
            ("study_uid", Some(Value::Text(header.study_uid.clone()))),
            ("modality", Some(Value::Text(word.to_owned()))),
            ("modality_code", Some(Value::Text(code(header).to_owned()))),
            ("body_part", text(&header.body_part)),
            ("acquisition_datetime", incoming.acquired.map(Value::Instant)),
            ("source_system", text(&header.manufacturer)),
            ("accession_number", text(&header.accession_number)),
            ("description", text(&header.study_description)),
        ],
    )
}

fn series_of(incoming: &Incoming<'_>, study: Uuid) -> Result<Draft> {
    let header = incoming.header;
    draft(
        &IMAGING_SERIES,
        vec![
            ("study_id", Some(Value::Uuid(study))),
            ("patient_id", Some(Value::Uuid(incoming.patient))),
            ("series_uid", Some(Value::Text(header.series_uid.clone()))),
            ("modality_code", Some(Value::Text(code(header).to_owned()))),
            ("series_number", header.series_number.map(Value::Int)),
            ("description", text(&header.series_description)),
            ("body_part", text(&header.body_part)),
            ("laterality", header.laterality.map(|side| Value::Text(side.to_owned()))),
        ],
    )
}

fn object_of(incoming: &Incoming<'_>, file: &Record, study: &Record, series: &Record) -> Result<Draft> {
    let header = incoming.header;
    let (_, sure) = word_of(header);
    let mut warnings: Vec<String> = header.warnings.iter().map(|warning| warning.word().to_owned()).collect();
    warnings.extend((!sure).then(|| "MODALITY_UNUSUAL".to_owned()));
    warnings.extend(incoming.differences.iter().map(|word| (*word).to_owned()));
    let volume = header.frames.filter(|_| code(header) == "CT");
    draft(
        &IMAGING_OBJECT,
        vec![
            ("study_id", Some(Value::Uuid(study.id))),
            ("series_id", Some(Value::Uuid(series.id))),
            ("patient_id", Some(Value::Uuid(incoming.patient))),
            ("file_id", Some(Value::Uuid(file.id))),
            ("sop_instance_uid", Some(Value::Text(header.sop_instance_uid.clone()))),
            ("sop_class_uid", text(&header.sop_class_uid)),
            ("transfer_syntax_uid", Some(Value::Text(header.transfer_syntax_uid.clone()))),
            ("object_type", Some(Value::Text("DICOM".to_owned()))),
            ("hash", file.text("sha256").map(|hash| Value::Text(hash.to_owned()))),
            ("byte_size", file.int("file_size").map(Value::BigInt)),
            ("width", header.columns.map(Value::Int)),
            ("height", header.rows.map(Value::Int)),
            ("depth_slices", volume.map(Value::Int)),
            ("frame_count", header.frames.map(Value::Int)),
            ("pixel_spacing_mm", header.pixel_spacing_mm.map(Value::Double)),
            ("is_calibrated", Some(Value::Bool(header.is_calibrated))),
            ("is_original", Some(Value::Bool(header.is_original))),
            ("conformance_warnings", Some(Value::Texts(warnings))),
        ],
    )
}
