//! What must hold before the first request: a server with the wrong role, policies or PostgreSQL refuses to start.

use super::Connector;
use crate::kernel::error::{Error, Result};

/// First minor release of each major without CVE-2026-14666 (policies that survive a change of role).
const FIXED_MINORS: &[(i32, i32)] = &[(15, 19), (16, 15), (17, 11), (18, 5)];

/// One line per broken promise of the role we are connected as.
const ROLE: &str = "
    select 'the role ' || rolname || ' is a superuser or may bypass row-level security'
      from pg_roles where rolname = session_user and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb)
    union all
    select 'the role ' || session_user || ' owns tables' where exists (
        select from pg_class c join pg_roles r on r.oid = c.relowner where r.rolname = session_user and c.relkind = 'r')
    union all
    select 'the role ' || session_user || ' is a member of another role' where exists (
        select from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = session_user)";

const TABLES: &str = "
    select 'the table ' || c.relname || ' is not under forced row-level security'
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'enamel' and c.relkind in ('r', 'p') and not (c.relrowsecurity and c.relforcerowsecurity)
    union all
    select 'the table ' || p.tablename || ' has a policy for everybody' from pg_policies p
     where p.schemaname = 'enamel' and 'public' = any (p.roles)
    union all
    select 'the schema enamel holds no tables: run enamel migrate'
     where not exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
                        where n.nspname = 'enamel' and c.relkind = 'r')";

/// Refuses with one line that names every broken promise.
pub async fn refuse_unsafe(connectors: &[&Connector]) -> Result<()> {
    let mut broken: Vec<String> = Vec::new();
    for (place, connector) in connectors.iter().enumerate() {
        let client = connector.connect().await?;
        if place == 0 {
            let version: String = client.query_one("show server_version_num", &[]).await?.get(0);
            broken.extend(too_old(version.parse().unwrap_or(0)));
            broken.extend(client.query(TABLES, &[]).await?.iter().map(|row| row.get::<_, String>(0)));
        }
        broken.extend(client.query(ROLE, &[]).await?.iter().map(|row| row.get::<_, String>(0)));
    }
    match broken.is_empty() {
        true => Ok(()),
        false => Err(Error::internal(format!("refusing to start: {}", broken.join("; ")))),
    }
}

/// A complaint when this server version lacks the fix for policies.
pub fn too_old(version_num: i32) -> Option<String> {
    let (major, minor) = (version_num / 10_000, version_num % 10_000);
    let least = FIXED_MINORS.iter().find(|(fixed, _)| *fixed == major).map(|(_, minor)| *minor);
    match least {
        _ if major < 15 => Some(format!("PostgreSQL {major} is too old: 15 or later is needed")),
        Some(least) if minor < least => {
            Some(format!("PostgreSQL {major}.{minor} lacks a row-level security fix: {major}.{least} or later is needed"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::too_old;

    #[test]
    fn minors_without_the_fix_are_refused() {
        assert!(too_old(150_018).is_some_and(|line| line.contains("15.18")));
        assert!(too_old(150_019).is_none() && too_old(150_020).is_none() && too_old(190_000).is_none());
        assert!(too_old(140_030).is_some());
    }
}
