//! When a trial is good enough, whom a deployment reaches, and what a version is meant for. Pure: no database.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a deployment has done so far.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Health {
    pub succeeded: i64,
    pub failed: i64,
    pub mean_ms: Option<f64>,
    pub reviewed: i64,
    pub overridden: i64,
}

fn share(part: i64, whole: i64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The first limit of `guardrails` that does not hold. A limit that is not a number cannot be kept.
pub fn broken(guardrails: &Json, health: &Health) -> Option<&'static str> {
    let measured = [
        ("max_error_rate", share(health.failed, health.succeeded + health.failed)),
        ("max_latency_ms", health.mean_ms.unwrap_or_default()),
        ("max_override_rate", share(health.overridden, health.reviewed)),
    ];
    let too_few =
        guardrails.get("min_jobs").is_some_and(|least| least.as_i64().is_none_or(|least| health.succeeded + health.failed < least));
    if too_few {
        return Some("min_jobs");
    }
    measured
        .into_iter()
        .find(|(name, value)| guardrails.get(*name).is_some_and(|most| most.as_f64().is_none_or(|most| *value > most)))
        .map(|(name, _)| name)
}

/// How a deployment chooses whom it serves.
#[derive(Debug, Clone)]
pub struct Rollout {
    pub strategy: String,
    pub percentage: Option<i32>,
    pub tenants: Vec<Uuid>,
    pub locations: Vec<Uuid>,
    pub salt: String,
}

impl Rollout {
    pub fn reaches(&self, tenant: Uuid, location: Option<Uuid>) -> bool {
        match self.strategy.as_str() {
            "TENANT_GROUP" => self.tenants.contains(&tenant),
            "LOCATION_GROUP" => location.is_some_and(|location| self.locations.contains(&location)),
            _ => bucket(&self.salt, tenant) < self.percentage.unwrap_or(100),
        }
    }
}

/// 0 to 99, the same for a tenant as long as the deployment lasts.
fn bucket(salt: &str, tenant: Uuid) -> i32 {
    let digest = Sha256::digest([salt.as_bytes(), tenant.as_bytes()].concat());
    let number = digest.iter().take(4).fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    i32::try_from(number % 100).unwrap_or_default()
}

/// The word of the intended use that a study is outside of: `image_types` by modality or its code, `minimum_age` in years.
pub fn outside(intended: &Json, inputs: &[String], modality: &str, code: &str, age: Option<i32>) -> Option<&'static str> {
    let is_of = |word: &str| [modality, code].contains(&word);
    if !inputs.iter().any(|word| word == "IMAGING_STUDY" || is_of(word)) {
        return Some("input_types");
    }
    if let Some(types) = intended.get("image_types").and_then(Json::as_array)
        && !types.iter().filter_map(Json::as_str).any(is_of)
    {
        return Some("image_types");
    }
    match (intended.get("minimum_age").and_then(Json::as_i64), age) {
        (Some(least), Some(age)) if i64::from(age) < least => Some("minimum_age"),
        (Some(_), None) => Some("minimum_age"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_trial_keeps_within_its_guardrails() {
        let health = Health { succeeded: 95, failed: 5, mean_ms: Some(800.0), reviewed: 20, overridden: 4 };
        let limits = json!({"max_error_rate": 0.05, "max_latency_ms": 800, "max_override_rate": 0.2, "min_jobs": 100});
        assert_eq!(broken(&limits, &health), None);
        assert_eq!(broken(&json!({}), &health), None);
        assert_eq!(broken(&json!({"max_error_rate": 0.04}), &health), Some("max_error_rate"));
        assert_eq!(broken(&json!({"max_latency_ms": 799}), &health), Some("max_latency_ms"));
        assert_eq!(broken(&json!({"max_override_rate": 0.19}), &health), Some("max_override_rate"));
        assert_eq!(broken(&json!({"min_jobs": 101}), &health), Some("min_jobs"));
        assert_eq!(broken(&json!({"max_error_rate": "low"}), &health), Some("max_error_rate"));
        assert_eq!(broken(&json!({"max_error_rate": 0, "max_override_rate": 0}), &Health::default()), None);
    }

    #[test]
    fn a_deployment_reaches_whom_it_names() {
        let (tenant, location) = (Uuid::from_u128(7), Uuid::from_u128(9));
        let rollout = |strategy: &str| Rollout {
            strategy: strategy.into(),
            percentage: None,
            tenants: vec![tenant],
            locations: vec![location],
            salt: "salt".into(),
        };
        assert!(rollout("TENANT_GROUP").reaches(tenant, None) && !rollout("TENANT_GROUP").reaches(location, None));
        assert!(rollout("LOCATION_GROUP").reaches(tenant, Some(location)));
        assert!(!rollout("LOCATION_GROUP").reaches(tenant, None) && !rollout("LOCATION_GROUP").reaches(tenant, Some(tenant)));
        let part = |percentage| Rollout { percentage: Some(percentage), ..rollout("PERCENTAGE") };
        let served = |percentage| (0..2_000u128).filter(|id| part(percentage).reaches(Uuid::from_u128(*id), None)).count();
        assert_eq!((served(0), served(100)), (0, 2_000));
        assert!((400..600).contains(&served(25)), "{}", served(25));
        // Who is served at ten percent is served at fifty.
        assert!((0..500u128).map(Uuid::from_u128).all(|id| !part(10).reaches(id, None) || part(50).reaches(id, None)));
    }

    #[test]
    fn a_study_is_within_the_intended_use_or_not() {
        let inputs = ["INTRAORAL".to_owned()];
        let adults = json!({"image_types": ["IO"], "minimum_age": 18});
        assert_eq!(outside(&adults, &inputs, "INTRAORAL", "IO", Some(18)), None);
        assert_eq!(outside(&adults, &inputs, "INTRAORAL", "IO", Some(17)), Some("minimum_age"));
        assert_eq!(outside(&adults, &inputs, "INTRAORAL", "IO", None), Some("minimum_age"));
        assert_eq!(outside(&adults, &inputs, "CBCT", "CT", Some(40)), Some("input_types"));
        assert_eq!(outside(&adults, &["IMAGING_STUDY".to_owned()], "CBCT", "CT", Some(40)), Some("image_types"));
        assert_eq!(outside(&json!({}), &inputs, "INTRAORAL", "IO", None), None);
    }
}
