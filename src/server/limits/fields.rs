//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): each limit a caller is under, and what is left.

use super::Subject;
use super::window::{Standing, WINDOW_S};
use std::fmt::Write;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    pub policy: String,
    pub left: String,
}

impl Fields {
    pub fn of(stands: &[(Subject, Standing)]) -> Option<Fields> {
        let (mut policy, mut left) = (String::new(), String::new());
        for (at, (subject, standing)) in stands.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            // Writing into a String never fails.
            let _ = write!(policy, "{comma}\"{}\";q={};w={WINDOW_S}", subject.name, subject.limit);
            let _ = write!(left, "{comma}\"{}\";r={};t={}", subject.name, standing.left, standing.reset_s);
        }
        (!stands.is_empty()).then_some(Fields { policy, left })
    }
}
