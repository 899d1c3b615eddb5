//! Whether the person a DICOM header names is the patient the uploader chose.

use crate::dicom::Header;
use crate::kernel::Caller;
use crate::kernel::error::Result;
use crate::kernel::table::store::fold;
use crate::sql;
use chrono::NaiveDate;
use uuid::Uuid;

pub const NAME_DIFFERS: &str = "PATIENT_NAME_DIFFERS";
pub const ID_DIFFERS: &str = "PATIENT_ID_DIFFERS";
pub const BIRTH_DATE_DIFFERS: &str = "PATIENT_BIRTH_DATE_DIFFERS";
pub const DIFFERENCES: &[&str] = &[NAME_DIFFERS, ID_DIFFERS, BIRTH_DATE_DIFFERS];

sql! {
    /// $1 tenant, $2 patient, $3 blind index of the header's id.
    CHART(UUID, UUID, BYTEA) = "
        select p.first_name, p.last_name, p.dob, p.external_ref,
               exists (select from patient_identifiers i where i.tenant_id = $1 and i.patient_id = $2 and i.deleted_at is null),
               exists (select from patient_identifiers i
                        where i.tenant_id = $1 and i.patient_id = $2 and i.deleted_at is null and i.value_bidx = $3)
          from patients p where p.tenant_id = $1 and p.id = $2";
}

/// What differs, as words. What one side does not say differs from nothing.
pub async fn differences(caller: &Caller, tenant: Uuid, patient: Uuid, header: &Header) -> Result<Vec<&'static str>> {
    let id = header.patient_id.as_deref().unwrap_or_default();
    let hash = caller.kernel.keys.of(tenant).await?.blind("patient_identifiers", "value", id)?;
    let scope = caller.kernel.door.open(&caller.server(tenant)).await?;
    let answers = scope.once(&[((&CHART).into(), vec![&tenant, &patient, &hash])]).await?;
    let Some(row) = answers.iter().flatten().next() else { return Ok(DIFFERENCES.to_vec()) };
    let (first, last): (Option<String>, String) = (row.try_get(0)?, row.try_get(1)?);
    let (born, external): (Option<NaiveDate>, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
    let (has_ids, id_known): (bool, bool) = (row.try_get(4)?, row.try_get(5)?);
    let mut out = Vec::new();
    if !same_name(&header.patient_name, first.as_deref().unwrap_or_default(), &last) {
        out.push(NAME_DIFFERS);
    }
    let known = id_known || external.as_deref() == Some(id) || patient.to_string().eq_ignore_ascii_case(id);
    if !id.is_empty() && (has_ids || external.is_some()) && !known {
        out.push(ID_DIFFERS);
    }
    if let (Some(said), Some(born)) = (header.patient_birth_date, born)
        && said != born
    {
        out.push(BIRTH_DATE_DIFFERS);
    }
    Ok(out)
}

/// Folded, family and given name each; of several given names the first one counts, and either side may lack them.
fn same_name(said: &[String], first: &str, last: &str) -> bool {
    let part = |place: usize| said.get(place).map(|part| fold(part)).unwrap_or_default();
    let (family, given) = (part(0), part(1));
    let leading = |name: &str| name.split([' ', '-']).next().unwrap_or_default().to_owned();
    let given_agree = given.is_empty() || first.is_empty() || leading(&given) == leading(&fold(first));
    (family.is_empty() || family == fold(last)) && given_agree
}

#[cfg(test)]
mod tests {
    use super::same_name;

    #[test]
    fn names_are_compared_folded_and_only_where_both_are_said() {
        let said = |text: &str| text.split('^').map(str::to_owned).collect::<Vec<_>>();
        for (name, same) in [
            ("Ångström^Eva", true),
            ("ANGSTROM^EVA MARIA", true),
            ("ångström", true),
            ("", true),
            ("^^^^", true),
            ("Angstrom^Ewa", false),
            ("Engstrom^Eva", false),
            ("Eva^Angstrom", false),
        ] {
            assert_eq!(same_name(&said(name), "Eva", "Ångström"), same, "{name}");
        }
        assert!(same_name(&said("Baker^Ann"), "", "baker"));
    }
}
