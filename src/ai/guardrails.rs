//! When a trial is good enough. Pure: no database.

use serde_json::Value as Json;

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
}
