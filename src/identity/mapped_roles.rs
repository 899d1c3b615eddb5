//! The roles that a provider's claims give, by rules the tenant edits (`role_mapping`): `{"default": "CLINIC_STAFF", "rules":
//! [{"claim": "groups", "value": "dentists", "role": "CLINICIAN"}]}`. A rule holds when the claim is the value or a list that has
//! it; the default is for those whom no rule fits. No provider makes an administrator.

use super::role;
use crate::kernel::context::PLATFORM_TENANT;
use crate::kernel::db::Scope;
use crate::kernel::error::Result;
use crate::sql;
use serde_json::Value as Json;
use uuid::Uuid;

const RULES_MAX: usize = 100;

#[derive(Debug, PartialEq)]
pub struct Mapped {
    /// Of a shared role.
    pub code: &'static str,
    pub user_type: &'static str,
}

static MAPPED: &[Mapped] = &[
    Mapped { code: "CLINICIAN", user_type: "DENTIST" },
    Mapped { code: "CLINIC_STAFF", user_type: "FRONT_DESK" },
    Mapped { code: "DEVELOPER", user_type: "DEVELOPER" },
    Mapped { code: "DATA_SCIENTIST", user_type: "DEVELOPER" },
    Mapped { code: "PAYER_ANALYST", user_type: "PAYER_ANALYST" },
];

sql! {
    /// $1 tenant, $2 login, $3 provider, $4 codes. What the provider gave and gives no more.
    END(UUID, UUID, TEXT, TEXT_ARRAY) = "
        update user_roles g set valid_until = greatest(now(), g.valid_from + interval '1 microsecond')
          from roles o where o.tenant_id = g.role_tenant_id and o.id = g.role_id
           and g.tenant_id = $1 and g.user_id = $2 and g.attributes ->> 'provider' = $3 and not o.code = any ($4)
           and g.deleted_at is null and (g.valid_until is null or g.valid_until > now())";
    /// $1 tenant, $2 id, $3 login, $4 code of a shared role, $5 the platform's tenant, $6 provider. What a member has not yet.
    ADD(UUID, UUID, UUID, TEXT, UUID, TEXT) = "
        insert into user_roles (tenant_id, id, user_id, role_tenant_id, role_id, attributes)
        select $1, $2, $3, o.tenant_id, o.id, jsonb_build_object('provider', $6)
          from roles o join user_tenants m on m.tenant_id = $1 and m.user_id = $3 and m.status = 'ACTIVE' and m.deleted_at is null
         where o.tenant_id = $5 and o.code = $4 and o.deleted_at is null
           and not exists (select from user_roles g where g.tenant_id = $1 and g.user_id = $3 and g.role_tenant_id = o.tenant_id
                              and g.role_id = o.id and g.deleted_at is null and (g.valid_until is null or g.valid_until > now()))";
}

pub fn has_rules(mapping: &Json) -> bool {
    mapping["rules"].as_array().is_some_and(|rules| !rules.is_empty())
}

/// The strongest first; each once.
pub fn given(mapping: &Json, claims: &Json) -> Vec<&'static Mapped> {
    let rules = mapping["rules"].as_array().map(Vec::as_slice).unwrap_or_default();
    let fits = |rule: &&Json| match (rule["claim"].as_str().and_then(|name| claims.get(name)), &rule["value"]) {
        (Some(Json::Array(held)), Json::String(_)) => held.contains(&rule["value"]),
        (Some(held), Json::String(_)) => *held == rule["value"],
        _ => false,
    };
    let named: Vec<&str> = rules.iter().take(RULES_MAX).filter(fits).filter_map(|rule| rule["role"].as_str()).collect();
    let named = if named.is_empty() { mapping["default"].as_str().into_iter().collect() } else { named };
    MAPPED.iter().filter(|mapped| named.iter().any(|name| role::code_of(name) == mapped.code)).collect()
}

/// A member holds of this provider what it says now; what others gave stays.
pub async fn follow(scope: &mut Scope, tenant: Uuid, provider: Uuid, user: Uuid, roles: &[&'static Mapped]) -> Result<()> {
    let (provider, codes) = (provider.to_string(), roles.iter().map(|role| role.code).collect::<Vec<_>>());
    scope.exec(&END, &[&tenant, &user, &provider, &codes]).await?;
    for code in codes {
        let id = scope.new_id();
        scope.exec(&ADD, &[&tenant, &id, &user, &code, &PLATFORM_TENANT, &provider]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_give_roles_and_the_default_is_for_those_whom_none_fits() {
        let mapping = json!({"default": "staff", "rules": [
            {"claim": "groups", "value": "dentists", "role": "CLINICIAN"},
            {"claim": "department", "value": "IT", "role": "DEVELOPER"},
            {"claim": "groups", "value": "owners", "role": "TENANT_ADMIN"},
            {"claim": "groups", "value": 7, "role": "CLINICIAN"},
        ]});
        let codes = |claims: Json| given(&mapping, &claims).into_iter().map(|role| role.code).collect::<Vec<_>>();
        assert_eq!(codes(json!({"groups": ["x", "dentists"], "department": "IT"})), ["CLINICIAN", "DEVELOPER"]);
        assert_eq!(codes(json!({"groups": "dentists"})), ["CLINICIAN"]);
        assert_eq!(codes(json!({"groups": ["dentist"], "department": ["it"]})), ["CLINIC_STAFF"]);
        assert_eq!(codes(json!({"groups": ["owners"]})), [""; 0], "no provider makes an administrator");
        assert_eq!(codes(json!({"groups": [7]})), ["CLINIC_STAFF"]);
        assert_eq!(codes(Json::Null), ["CLINIC_STAFF"]);
        assert!(given(&json!({}), &json!({"groups": ["dentists"]})).is_empty());
    }
}
